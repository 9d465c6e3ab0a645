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
constexpr Duration kOutlives = minutes(1), kOutlivesLoop = minutes(10);

Duration last_run_of(const Value& container) {
  const Value& ended = container[keys::kLastState][keys::kTerminated];
  const auto from = parse_time(ended[keys::kStartedAt].as_string()), to = parse_time(ended[keys::kFinishedAt].as_string());
  return from && to ? *to - *from : Duration{};
}

}  // namespace

class ConvergenceJudge::Look {
 public:
  Look(ConvergenceJudge& of, const control::Store& store, Instant now) : of_(of), store_(store), except_(of.except_), now_(now) {}

  std::vector<std::string> take() {
    each(kinds::kNamespaces, [&](const Value& object) { return leaving(object); });
    each(kinds::kNodes, node);
    each(kinds::kDeployments, [&](const Value& object) { return deployment(object); });
    each(kinds::kStatefulsets, [&](const Value& object) { return stateful_set(object); });
    each(kinds::kDaemonsets, [&](const Value& object) { return daemon_set(object); });
    each(kinds::kReplicasets, [&](const Value& object) { return replica_set(object); });
    each(kinds::kReplicationcontrollers, [&](const Value& object) { return replica_set(object); });
    each(kinds::kJobs, [&](const Value& object) { return job(object); });
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

  // Why there are fewer pods than there should be, where their controller may not make them.
  std::string refusal(const Value& object) {
    const Value& failure = control::condition(object, "ReplicaFailure");
    if (failure[keys::kStatus].as_string() == "True") return cat(": ReplicaFailure: ", failure[keys::kMessage].as_string());
    if (!refusals_) {
      refusals_.emplace();
      store_.for_each(kinds::kEvents, [&](const Value& event) {
        if (event[keys::kReason].as_string() != "FailedCreate") return;
        (*refusals_)[event[keys::kInvolvedObject][keys::kUid].string()] = event[keys::kMessage].string();
      });
    }
    const auto found = refusals_->find(std::string(control::object_uid(object)));
    return found == refusals_->end() ? std::string() : cat(": FailedCreate: ", found->second);
  }

  std::string deployment(const Value& d) {
    const Value& status = d[keys::kStatus];
    const int64_t wanted = d[keys::kSpec][keys::kReplicas].as_int(1);
    if (d[keys::kSpec][keys::kPaused].as_bool()) return {};
    if (!seen(d)) return "its last change has not been seen by its controller";
    if (auto says = lacks(status, keys::kUpdatedReplicas, wanted, "replicas are updated"); !says.empty()) return says + refusal(d);
    if (auto says = lacks(status, keys::kAvailableReplicas, wanted, "replicas are available"); !says.empty()) return says;
    return too_many(status, wanted);
  }

  static std::string too_many(const Value& status, int64_t wanted) {
    const int64_t have = status[keys::kReplicas].as_int();
    return have == wanted ? std::string() : cat("it has ", have, " pods for ", wanted);
  }

  std::string stateful_set(const Value& s) {
    if (!seen(s)) return "its last change has not been seen by its controller";
    const Value& status = s[keys::kStatus];
    const Value& strategy = s[keys::kSpec][keys::kUpdateStrategy];
    const int64_t wanted = s[keys::kSpec][keys::kReplicas].as_int(1);
    if (strategy[keys::kType].as_string() != "OnDelete" && status[keys::kCurrentRevision] != status[keys::kUpdateRevision]) {
      const int64_t changing = std::max<int64_t>(0, wanted - strategy[keys::kRollingUpdate][keys::kPartition].as_int());
      const int64_t updated = status[keys::kUpdatedReplicas].as_int();
      if (updated < changing) return cat(updated, " of ", changing, " replicas are updated");
    }
    return available(s, wanted);
  }

  std::string available(const Value& set, int64_t wanted) {
    const Value& status = set[keys::kStatus];
    if (auto says = lacks(status, keys::kAvailableReplicas, wanted, "replicas are available"); !says.empty()) {
      return status[keys::kReplicas].as_int() < wanted ? says + refusal(set) : says;
    }
    return too_many(status, wanted);
  }

  std::string daemon_set(const Value& d) {
    if (!seen(d)) return "its last change has not been seen by its controller";
    const Value& status = d[keys::kStatus];
    const int64_t wanted = status[keys::kDesiredNumberScheduled].as_int();
    if (auto says = lacks(status, keys::kNumberReady, wanted, "nodes have a ready pod"); !says.empty()) {
      return status[keys::kCurrentNumberScheduled].as_int() < wanted ? says + refusal(d) : says;
    }
    if (d[keys::kSpec][keys::kUpdateStrategy][keys::kType].as_string() == "OnDelete") return {};
    return lacks(status, keys::kUpdatedNumberScheduled, wanted, "nodes have an updated pod");
  }

  std::string replica_set(const Value& s) {
    if (control::controller_of(s).has_value()) return {};  // its Deployment speaks for it
    if (!seen(s)) return "its last change has not been seen by its controller";
    return available(s, s[keys::kSpec][keys::kReplicas].as_int(1));
  }

  std::string job(const Value& j) {
    const bool ended = control::is_condition_true(j, "Complete") || control::is_condition_true(j, "Failed");
    if (ended || j[keys::kSpec][keys::kSuspend].as_bool()) return {};
    const Value& status = j[keys::kStatus];
    const int64_t active = status[keys::kActive].as_int();
    if (j[keys::kSpec][keys::kParallelism].as_int(1) == 0 && active == 0) return {};  // nothing is to run
    if (status[keys::kReady].as_int() > 0) return {};  // it works on
    return cat("neither complete nor failed, and no pod of it is ready; ", status[keys::kSucceeded].as_int(), " have succeeded",
               active == 0 ? refusal(j) : "");
  }

  std::string claim(const Value& c) const {
    const auto phase = c[keys::kStatus][keys::kPhase].as_string();
    if (phase == "Bound") return {};
    const auto& of_class = store_.find(kinds::kStorageclasses, "", c[keys::kSpec][keys::kStorageClassName].as_string());
    if (of_class[keys::kVolumeBindingMode].as_string() == "WaitForFirstConsumer") return {};
    return cat("is ", phase.empty() ? "new" : phase);
  }

  static std::string waits(std::string_view what, const Value& container) {
    const Value& waiting = container[keys::kState][keys::kWaiting];
    if (!waiting.has_value()) return {};
    return cat(what, " ", container[keys::kName].as_string(), " waits: ", waiting[keys::kReason].as_string("without a reason"));
  }

  std::string pod(const Value& p) {
    if (control::is_pod_ended(p)) return {};
    if (control::is_condition_true(p, "Ready")) return may_end_again(p);
    const Value& status = p[keys::kStatus];
    // What waits for an init container says so of every container: the one that it waits for is named.
    for (const auto& c : status[keys::kInitContainerStatuses].items()) {
      if (c[keys::kState][keys::kWaiting][keys::kReason].as_string() == "PodInitializing") continue;
      if (auto says = waits("init container", c); !says.empty()) return says;
    }
    for (const auto& c : status[keys::kContainerStatuses].items()) {
      if (auto says = waits("container", c); !says.empty()) return says;
    }
    const Value& scheduled = control::condition(p, "PodScheduled");
    if (scheduled[keys::kStatus].as_string() == "False") {
      return cat("is Pending: ", scheduled[keys::kReason].as_string(), ": ", scheduled[keys::kMessage].as_string());
    }
    return cat("is ", status[keys::kPhase].as_string("Pending"), " and not Ready");
  }

  std::string may_end_again(const Value& p) {
    for (const auto& c : p[keys::kStatus][keys::kContainerStatuses].items()) {
      const int64_t count = c[keys::kRestartCount].as_int();
      if (count == 0) continue;
      const auto name = c[keys::kName].as_string();
      Restarts& known = of_.restarts_[cat(control::object_uid(p), "/", name)];
      if (known.count != count) known = {count, now_, of_.has_looked_ ? known.seen + 1 : 0};
      const Duration before = last_run_of(c), up = now_ - known.last;
      if (up > std::min(before, known.seen > 1 ? kOutlivesLoop : kOutlives)) continue;
      return cat("container ", name, " has been restarted ", count, " times, and ended after ", format_duration(before), " the last time");
    }
    return {};
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

  ConvergenceJudge& of_;
  const control::Store& store_;
  const std::vector<ObjectReference>& except_;
  const Instant now_;
  std::optional<std::map<std::string, std::string>> refusals_;  // of pods, by the uid of who makes them
  std::vector<std::string> sentences_;
};

std::vector<std::string> ConvergenceJudge::pending(const control::Store& store, Instant now) {
  auto sentences = Look(*this, store, now).take();
  has_looked_ = true;
  return sentences;
}

}  // namespace minik::sim
