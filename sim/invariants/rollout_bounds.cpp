// No rollout leaves its bounds: the sizes that a Deployment gives its ReplicaSets never sum up to more than replicas and
// surge, and no shrinking of a set takes the sum below replicas less what may be unavailable.
// Not verified: Deployments whose last change their controller has not seen, paused ones, what somebody else has made of
// a set's size, and availability itself: pods that crash and nodes that die take it away without a rollout.
#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/deployment.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "sim/component.h"
#include "sim/invariants.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::Value;

namespace {

class RolloutBounds : public Invariant {
 public:
  std::string_view name() const override { return "no rollout leaves its bounds"; }
  std::vector<control::KindId> kinds() const override { return {kinds::kDeployments, kinds::kReplicasets}; }

  void on_event(control::KindId kind, const control::StoreEvent& event) override {
    const bool deleted = event.type == control::StoreEvent::Type::kDeleted;
    if (kind == kinds::kDeployments) {
      const std::string uid(control::object_uid(event.object));
      if (deleted) {
        deployments_.erase(uid);
      } else {
        deployments_[uid] = event.object;
      }
      return;
    }
    const std::string owner = control::controller_of(event.object)[keys::kUid].string();
    if (owner.empty()) return;
    const int64_t before = size_of(event.previous), after = deleted ? 0 : size_of(event.object);
    if (before == after) return;
    const int64_t sum = sizes_[owner] += after - before;
    if (sum == 0 && deleted) sizes_.erase(owner);
    if (const auto found = deployments_.find(owner); found != deployments_.end() && !sized_by_client(event.object)) check(found->second, sum, after - before);
  }

  void look(const control::Store&, Instant, Instant) override {}
  void forget() override {
    deployments_.clear();
    sizes_.clear();
  }

 private:
  static int64_t size_of(const Value& set) { return set.has_value() ? set[keys::kSpec][keys::kReplicas].as_int() : 0; }

  // Whoever has set the size last manages it; before the first write of a client nobody is noted.
  static bool sized_by_client(const Value& set) {
    return std::ranges::any_of(set[keys::kMetadata][keys::kManagedFields].items(), [](const Value& entry) {
      const auto manager = entry[keys::kManager].as_string();
      if (manager == Component::kControllers.name || manager.starts_with("controller:")) return false;
      return entry[keys::kFieldsV1].get("f:spec").contains("f:replicas");
    });
  }

  void check(const Value& deployment, int64_t sum, int64_t change) {
    const Value& spec = deployment[keys::kSpec];
    const bool seen = deployment[keys::kStatus][keys::kObservedGeneration] == deployment[keys::kMetadata][keys::kGeneration];
    if (!seen || spec[keys::kPaused].as_bool() || control::is_deleting(deployment)) return;
    if (spec[keys::kStrategy][keys::kType].as_string() == "Recreate") return;
    const auto bounds = control::rollout_bounds(deployment);
    const int64_t wanted = spec[keys::kReplicas].as_int(1);
    const auto who = [&] { return cat("Deployment ", control::key_of(deployment).text(), " of ", wanted); };
    if (change > 0 && sum > wanted + bounds.surge) breaks(cat(who(), " wants ", sum, " pods, ", wanted + bounds.surge, " are allowed"));
    const int64_t least = wanted - bounds.unavailable;
    if (change < 0 && sum < least && sum - change >= least) breaks(cat(who(), " keeps ", sum, " pods, ", least, " must stay"));
  }

  std::map<std::string, Value> deployments_;  // by uid
  std::map<std::string, int64_t> sizes_;      // of the sets of an owner, by its uid
};

}  // namespace

std::unique_ptr<Invariant> make_rollout_bounds() { return std::make_unique<RolloutBounds>(); }

}  // namespace minik::sim
