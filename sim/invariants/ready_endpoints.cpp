// A Service never routes to a pod that is not ready: no EndpointSlice of the endpoints' controller says `ready` of a pod
// that is not Ready, is being deleted or is gone, for longer than the news takes to reach it.
// Not verified: the first 70 calm seconds after the change; Services that publish unready addresses; slices that others
// manage; whether every ready pod is in a slice; what proxies make of slices.
#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "sim/invariants.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::Value;

namespace {

// Who has found the API server away for long asks it again within a minute; then the news has to be worked on.
constexpr Duration kEndpointGrace = seconds(70);
constexpr std::string_view kManagedBy = "endpointslice.kubernetes.io/managed-by";
constexpr std::string_view kManager = "endpointslice-controller.k8s.io";
constexpr std::string_view kServiceName = "kubernetes.io/service-name";

bool may_be_routed_to(const Value& pod) { return pod.has_value() && control::is_pod_ready(pod) && !control::is_deleting(pod); }

class ReadyEndpoints : public Invariant {
 public:
  explicit ReadyEndpoints(std::function<Instant()> now) : now_(std::move(now)) {}
  std::string_view name() const override { return "no Service routes to a pod that is not ready"; }
  std::vector<control::KindId> kinds() const override { return {kinds::kPods}; }

  // From when on a pod must not be routed to any more.
  void on_event(control::KindId, const control::StoreEvent& event) override {
    const bool deleted = event.type == control::StoreEvent::Type::kDeleted;
    const bool before = may_be_routed_to(event.previous), after = !deleted && may_be_routed_to(event.object);
    if (before == after) return;
    const auto key = control::key_of(event.object);
    if (after) {
      unready_.erase(key);
    } else {
      unready_[key] = now_();
    }
  }

  void look(const control::Store& store, Instant now, Instant calm_since) override {
    bool due = false;
    for (const auto& [key, since] : unready_) due |= now - std::max(since, calm_since) > kEndpointGrace;
    if (!due) return;
    store.for_each(kinds::kEndpointslices, [&](const Value& slice) { check(store, slice, now, calm_since); });
    std::erase_if(unready_,
                  [&](const auto& entry) { return now - std::max(entry.second, calm_since) > kEndpointGrace; });
  }

  void forget() override { unready_.clear(); }

 private:
  void check(const control::Store& store, const Value& slice, Instant now, Instant calm_since) {
    const Value& labels = slice[keys::kMetadata][keys::kLabels];
    if (labels.get(kManagedBy).as_string() != kManager) return;
    const auto namespace_ = control::object_namespace(slice);
    const Value& service = store.find(kinds::kServices, namespace_, labels.get(kServiceName).as_string());
    if (service[keys::kSpec][keys::kPublishNotReadyAddresses].as_bool()) return;
    for (const auto& endpoint : slice[keys::kEndpoints].items()) {
      const Value& target = endpoint[keys::kTargetRef];
      if (target[keys::kKind].as_string() != "Pod" || !endpoint[keys::kConditions][keys::kReady].as_bool(true)) continue;
      const auto name = target[keys::kName].as_string();
      const auto found = unready_.find({std::string(namespace_), std::string(name)});
      if (found == unready_.end() || now - std::max(found->second, calm_since) <= kEndpointGrace) continue;
      if (may_be_routed_to(store.find(kinds::kPods, namespace_, name))) continue;
      breaks(cat("EndpointSlice ", control::key_of(slice).text(), " says that Pod ", name, " is ready, which it is not since ",
                 format_duration(Duration{found->second.ns})));
    }
  }

  std::function<Instant()> now_;
  std::map<control::ObjectKey, Instant> unready_;
};

}  // namespace

std::unique_ptr<Invariant> make_ready_endpoints(const std::function<Instant()>& now) { return std::make_unique<ReadyEndpoints>(now); }

}  // namespace minik::sim
