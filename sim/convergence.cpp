#include "sim/convergence.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "control/schema/schema.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::Value;

namespace {

// Of pods, which may be a million.
constexpr size_t kPodsNamedMax = 5;

class Look {
 public:
  Look(const control::Store& store, const std::vector<ObjectReference>& except) : store_(store), except_(except) {}

  std::vector<std::string> take() {
    each(kinds::kNamespaces, [&](const Value& object) { return leaving(object); });
    each(kinds::kNodes, node);
    each(kinds::kDeployments, deployment);
    each(kinds::kStatefulsets, stateful_set);
    each(kinds::kDaemonsets, daemon_set);
    each(kinds::kReplicasets, replica_set);
    each(kinds::kJobs, job);
    each(kinds::kPersistentvolumeclaims, [&](const Value& object) { return claim(object); });
    pods();
    return std::move(sentences_);
  }

 private:
  template <typename Sentence>
  void each(control::KindId kind, Sentence sentence) {
    std::vector<std::pair<std::string, std::string>> found;  // by key
    const auto& name = control::Schema::builtin().resource(kind).kind;
    store_.for_each(kind, [&](const Value& object) {
      std::string says = control::is_deleting(object) ? leaving(object) : sentence(object);
      if (says.empty() || excepted(kind, object)) return;
      found.emplace_back(control::key_of(object).text(), std::move(says));
    });
    std::ranges::sort(found);
    for (const auto& [key, says] : found) sentences_.push_back(cat(name, " ", key, ": ", says));
  }

  bool excepted(control::KindId kind, const Value& object) const {
    return std::ranges::any_of(except_, [&](const ObjectReference& e) {
      return e.id == kind && e.name == control::object_name(object) && e.namespace_ == control::object_namespace(object);
    });
  }

  static std::string leaving(const Value& object) {
    if (!control::is_deleting(object)) return {};
    std::vector<std::string> waits;
    for (const auto& finalizer : object[keys::kMetadata][keys::kFinalizers].items()) waits.push_back(finalizer.string());
    return cat("is being deleted", waits.empty() ? "" : cat(" and waits for ", join(waits, ", ")));
  }

  static bool seen(const Value& object) {
    return object[keys::kStatus][keys::kObservedGeneration] == object[keys::kMetadata][keys::kGeneration];
  }

  static std::string node(const Value& node) {
    if (control::is_condition_true(node, "Ready")) return {};
    return cat("is not Ready: ", control::condition(node, "Ready")[keys::kMessage].as_string("it has said nothing"));
  }

  static std::string lacks(const Value& status, const control::Key& field, int64_t wanted, std::string_view what) {
    const int64_t have = status[field].as_int();
    return have == wanted ? std::string() : cat(have, " of ", wanted, " ", what);
  }

  static std::string deployment(const Value& d) {
    const Value& status = d[keys::kStatus];
    const int64_t wanted = d[keys::kSpec][keys::kReplicas].as_int(1);
    if (d[keys::kSpec][keys::kPaused].as_bool()) return {};
    if (!seen(d)) return "its last change has not been seen by its controller";
    if (auto says = lacks(status, keys::kUpdatedReplicas, wanted, "replicas are updated"); !says.empty()) return says;
    if (auto says = lacks(status, keys::kAvailableReplicas, wanted, "replicas are available"); !says.empty()) return says;
    if (status[keys::kReplicas].as_int() != wanted) return cat("it has ", status[keys::kReplicas].as_int(), " pods for ", wanted);
    return {};
  }

  static std::string stateful_set(const Value& s) {
    if (!seen(s)) return "its last change has not been seen by its controller";
    const int64_t wanted = s[keys::kSpec][keys::kReplicas].as_int(1);
    return lacks(s[keys::kStatus], keys::kReadyReplicas, wanted, "replicas are ready");
  }

  static std::string daemon_set(const Value& d) {
    if (!seen(d)) return "its last change has not been seen by its controller";
    const Value& status = d[keys::kStatus];
    const int64_t wanted = status[keys::kDesiredNumberScheduled].as_int();
    if (auto says = lacks(status, keys::kNumberReady, wanted, "nodes have a ready pod"); !says.empty()) return says;
    if (d[keys::kSpec][keys::kUpdateStrategy][keys::kType].as_string() == "OnDelete") return {};
    return lacks(status, keys::kUpdatedNumberScheduled, wanted, "nodes have an updated pod");
  }

  static std::string replica_set(const Value& s) {
    if (control::controller_of(s).has_value()) return {};  // its Deployment speaks for it
    if (!seen(s)) return "its last change has not been seen by its controller";
    return lacks(s[keys::kStatus], keys::kReadyReplicas, s[keys::kSpec][keys::kReplicas].as_int(1), "replicas are ready");
  }

  static std::string job(const Value& j) {
    const bool ended = control::is_condition_true(j, "Complete") || control::is_condition_true(j, "Failed");
    if (ended || j[keys::kSpec][keys::kSuspend].as_bool()) return {};
    const Value& status = j[keys::kStatus];
    if (status[keys::kReady].as_int() > 0) return {};  // it works on
    return cat("neither complete nor failed, and no pod of it is ready; ", status[keys::kSucceeded].as_int(), " have succeeded");
  }

  std::string claim(const Value& c) const {
    const auto phase = c[keys::kStatus][keys::kPhase].as_string();
    if (phase == "Bound") return {};
    const auto& of_class = store_.find(kinds::kStorageclasses, "", c[keys::kSpec][keys::kStorageClassName].as_string());
    if (of_class[keys::kVolumeBindingMode].as_string() == "WaitForFirstConsumer") return {};
    return cat("is ", phase.empty() ? "new" : phase);
  }

  static std::string pod(const Value& p) {
    if (control::is_pod_ended(p) || control::is_condition_true(p, "Ready")) return {};
    const Value& status = p[keys::kStatus];
    for (const auto& c : status[keys::kContainerStatuses].items()) {
      const Value& waiting = c[keys::kState][keys::kWaiting];
      if (waiting.has_value()) return cat("container ", c[keys::kName].as_string(), " waits: ", waiting[keys::kReason].as_string("without a reason"));
    }
    const Value& scheduled = control::condition(p, "PodScheduled");
    if (scheduled[keys::kStatus].as_string() == "False") {
      return cat("is Pending: ", scheduled[keys::kReason].as_string(), ": ", scheduled[keys::kMessage].as_string());
    }
    return cat("is ", status[keys::kPhase].as_string("Pending"), " and not Ready");
  }

  void pods() {
    std::vector<std::pair<std::string, std::string>> found;
    store_.for_each(kinds::kPods, [&](const Value& p) {
      std::string says = control::is_deleting(p) ? leaving(p) : pod(p);
      if (says.empty() || excepted(kinds::kPods, p) || owner_excepted(p)) return;
      found.emplace_back(control::key_of(p).text(), std::move(says));
    });
    std::ranges::sort(found);
    for (size_t i = 0; i < std::min(found.size(), kPodsNamedMax); ++i) {
      sentences_.push_back(cat("Pod ", found[i].first, ": ", found[i].second));
    }
    if (found.size() > kPodsNamedMax) sentences_.push_back(cat(found.size() - kPodsNamedMax, " more pods are not at rest"));
  }

  // Of a Deployment's pods the owner is a ReplicaSet whose owner is the Deployment.
  bool owner_excepted(const Value& object) const {
    const Value& owner = control::controller_of(object);
    if (except_.empty() || !owner.has_value()) return false;
    const auto* resource = control::Schema::builtin().find_kind(owner[keys::kApiVersion].as_string(), owner[keys::kKind].as_string());
    if (!resource) return false;
    const Value& stored = store_.find(resource->id, control::object_namespace(object), owner[keys::kName].as_string());
    return stored.has_value() && (excepted(resource->id, stored) || owner_excepted(stored));
  }

  const control::Store& store_;
  const std::vector<ObjectReference>& except_;
  std::vector<std::string> sentences_;
};

}  // namespace

std::vector<std::string> not_converged(const control::Store& store, const std::vector<ObjectReference>& except) {
  return Look(store, except).take();
}

}  // namespace minik::sim
