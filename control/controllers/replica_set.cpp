#include "control/controllers/replica_set.h"

#include <algorithm>
#include <bit>
#include <map>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"
#include "control/schema/views/core.h"

namespace minik::control {

namespace {

constexpr ReplicaKind kReplicaSet{kinds::kReplicasets,     "apps/v1",     "ReplicaSet",
                                  "replicaset-controller", spec_selector, true};
constexpr ReplicaKind kReplicationController{
    kinds::kReplicationcontrollers,
    "v1",
    "ReplicationController",
    "replication-controller",
    spec_selector_map,
    false,
};

constexpr size_t kBurstReplicas = 500;  // creations and deletions of one reconcile, as Kubernetes
constexpr std::string_view kReplicaFailure = "ReplicaFailure";
constexpr std::string_view kDeletionCost = "controller.kubernetes.io/pod-deletion-cost";

int64_t deletion_cost(const Value& pod) {
  return parse_int64(pod[keys::kMetadata][keys::kAnnotations].get(kDeletionCost).as_string())
      .value_or(0);
}

int64_t restarts(const Value& pod) {
  int64_t most = 0;
  for (const auto& status : pod[keys::kStatus][keys::kContainerStatuses].items()) {
    most = std::max(most, status[keys::kRestartCount].as_int());
  }
  return most;
}

// Ages count by magnitude: of two pods that have been ready for about as long, none is the younger.
int magnitude(std::optional<WallTime> since, WallTime now) {
  if (!since || *since >= now) return 0;
  return static_cast<int>(std::bit_width(static_cast<uint64_t>((now - *since).ns)));
}

int phase_rank(std::string_view phase) {
  return phase == "Pending" ? 0 : phase == "Unknown" ? 1 : 2;
}

// A child's labels and spec come from the template, as shared nodes; the name is the API's to make.
Value pod_of(const ReplicaKind& of, const Value& set) {
  const Value& template_ = set[keys::kSpec][keys::kTemplate];
  const Value& metadata = template_[keys::kMetadata];
  return Value::map({{keys::kMetadata,
                      Value::map({{keys::kGenerateName, cat(object_name(set), "-")},
                                  {keys::kNamespace, set[keys::kMetadata][keys::kNamespace]},
                                  {keys::kLabels, metadata[keys::kLabels]},
                                  {keys::kAnnotations, metadata[keys::kAnnotations]},
                                  {keys::kFinalizers, metadata[keys::kFinalizers]},
                                  {keys::kOwnerReferences, Value::array({controller_reference(
                                                               set, of.api_version, of.name)})}})},
                     {keys::kSpec, template_[keys::kSpec]}});
}

// How many live pods each node has of this set and of the other sets of its Deployment: a rollout's
// pods crowd a node together.
PodsByNode pods_by_node(const ReplicaKind& of, const Snapshot& snapshot, const Value& set,
                        const std::vector<Value>& active) {
  PodsByNode counts;
  const auto count = [&](const Value& pod) {
    if (is_pod_active(pod)) ++counts[std::string(PodView(pod).spec().nodeName())];
  };
  std::ranges::for_each(active, count);
  const Value& controller = controller_of(set);
  if (!controller.has_value()) return counts;
  for (const auto& sibling : snapshot.owned_by(of.kind, controller[keys::kUid].as_string())) {
    if (object_uid(sibling) == object_uid(set)) continue;
    for (const auto& pod : snapshot.owned_by(kinds::kPods, object_uid(sibling))) count(pod);
  }
  return counts;
}

// The condition that says why pods are missing or too many; its first reason stays until it is
// over.
std::function<ApiRequest(const Error&)> failure_condition(const ReplicaKind& of, const Value& set,
                                                          std::string_view reason, WallTime now) {
  if (condition(set, kReplicaFailure).has_value()) return {};
  return [kind = of.kind, key = key_of(set), reason, now](const Error& error) {
    const Value failure = Value::map({{keys::kType, kReplicaFailure},
                                      {keys::kStatus, "True"},
                                      {keys::kReason, reason},
                                      {keys::kMessage, error.message},
                                      {keys::kLastTransitionTime, format_time(now)}});
    Plan plan;
    return plan
        .patch(kind, key, PatchType::kStrategicMerge,
               Value::map(
                   {{keys::kStatus, Value::map({{keys::kConditions, Value::array({failure})}})}}),
               "status")
        .request;
  };
}

void plan_scale(Plan& plan, const ReplicaKind& of, const Snapshot& snapshot, const Value& set,
                const std::vector<Value>& active, size_t wanted, Env& env) {
  const Value about = typed(set, of.api_version, of.name);
  if (active.size() < wanted) {
    const Value pod = pod_of(of, set);
    const auto amends = failure_condition(of, set, "FailedCreate", env.now);
    for (size_t i = active.size(); i < std::min(wanted, active.size() + kBurstReplicas); ++i) {
      auto& write = plan.create(kinds::kPods, pod);
      write.independent = true;
      write.event = EventNote{about, "Normal", "SuccessfulCreate", "Created pod: %name%"};
      write.failure_event = EventNote{about, "Warning", "FailedCreate", "Error creating: %error%"};
      write.amends = amends;
    }
  } else if (active.size() > wanted) {
    const auto ranked = by_deletion_rank(active, pods_by_node(of, snapshot, set, active), env.now);
    const auto amends = failure_condition(of, set, "FailedDelete", env.now);
    const size_t surplus = std::min(active.size() - wanted, kBurstReplicas);
    for (size_t i = 0; i < surplus; ++i) {
      auto& write = plan.remove(kinds::kPods, ranked[i]);
      write.independent = true;
      write.event = EventNote{about, "Normal", "SuccessfulDelete",
                              cat("Deleted pod: ", object_name(ranked[i]))};
      write.failure_event = EventNote{about, "Warning", "FailedDelete", "Error deleting: %error%"};
      write.amends = amends;
    }
  }
}

// The conditions without a failure that is over.
Value conditions_of(const Value& set, bool settled) {
  const Value& conditions = set[keys::kStatus][keys::kConditions];
  if (!settled || !condition(set, kReplicaFailure).has_value()) return conditions;
  std::vector<Value> kept(conditions.items().begin(), conditions.items().end());
  std::erase_if(kept, [](const Value& c) { return c[keys::kType].as_string() == kReplicaFailure; });
  return kept.empty() ? Value() : Value::array(std::move(kept));
}

Value new_status(const ReplicaKind& of, const Value& set, const std::vector<Value>& owned,
                 WallTime now, std::optional<Duration>& look_again) {
  const Value& spec = set[keys::kSpec];
  const int64_t min_ready = spec[keys::kMinReadySeconds].as_int();
  const auto labels =
      LabelSelector::from_map(spec[keys::kTemplate][keys::kMetadata][keys::kLabels]);
  int64_t total = 0, labelled = 0, ready = 0, available = 0, terminating = 0;
  for (const auto& pod : owned) {
    if (is_pod_ended(pod)) continue;
    if (is_deleting(pod)) {
      ++terminating;
      continue;
    }
    ++total;
    if (labels.matches(pod[keys::kMetadata][keys::kLabels])) ++labelled;
    if (!is_pod_ready(pod)) continue;
    ++ready;
    if (is_pod_available(pod, min_ready, now)) {
      ++available;
    } else if (const auto since = time_of(condition(pod, "Ready")[keys::kLastTransitionTime])) {
      const Duration left = *since + seconds(min_ready) - now;
      look_again = look_again ? std::min(*look_again, left) : left;
    }
  }
  MapBuilder status(set[keys::kStatus]);
  status.set(keys::kReplicas, total);
  status.set(keys::kFullyLabeledReplicas, labelled == 0 ? Value() : Value(labelled));
  status.set(keys::kReadyReplicas, ready == 0 ? Value() : Value(ready));
  status.set(keys::kAvailableReplicas, available == 0 ? Value() : Value(available));
  if (of.counts_terminating) {
    status.set(keys::kTerminatingReplicas, terminating == 0 ? Value() : Value(terminating));
  }
  status.set(keys::kConditions, conditions_of(set, total == spec[keys::kReplicas].as_int(1)));
  status.set(keys::kObservedGeneration, set[keys::kMetadata][keys::kGeneration]);
  return std::move(status).build();
}

}  // namespace

std::vector<Value> by_deletion_rank(std::vector<Value> pods, const PodsByNode& pods_on_node,
                                    WallTime now) {
  struct Ranked {
    Value pod;
    bool assigned, ready;
    int phase;
    int64_t cost, crowd;
    std::optional<WallTime> ready_since, created;
    int64_t restart_count;
  };
  std::vector<Ranked> ranked;
  for (auto& pod : pods) {
    const PodView view(pod);
    const bool ready = is_pod_ready(pod);
    const auto crowd = pods_on_node.find(view.spec().nodeName());
    ranked.push_back(
        {pod, !view.spec().nodeName().empty(), ready, phase_rank(view.status().phase()),
         deletion_cost(pod), crowd == pods_on_node.end() ? 0 : crowd->second,
         ready ? time_of(condition(pod, "Ready")[keys::kLastTransitionTime]) : std::nullopt,
         time_of(pod[keys::kMetadata][keys::kCreationTimestamp]), restarts(pod)});
  }
  // Two times of one magnitude count as equal, and then the uid decides at once, without the rest.
  const auto younger = [now](const Ranked& a, const Ranked& b, std::optional<WallTime> ta,
                             std::optional<WallTime> tb) {
    const int ma = magnitude(ta, now), mb = magnitude(tb, now);
    return ma == mb ? object_uid(a.pod) < object_uid(b.pod) : ma < mb;
  };
  std::ranges::stable_sort(ranked, [&](const Ranked& a, const Ranked& b) {
    if (a.assigned != b.assigned) return !a.assigned;
    if (a.phase != b.phase) return a.phase < b.phase;
    if (a.ready != b.ready) return !a.ready;
    if (a.cost != b.cost) return a.cost < b.cost;
    if (a.crowd != b.crowd) return a.crowd > b.crowd;
    if (a.ready_since != b.ready_since) return younger(a, b, a.ready_since, b.ready_since);
    if (a.restart_count != b.restart_count) return a.restart_count > b.restart_count;
    return younger(a, b, a.created, b.created);
  });
  pods.clear();
  for (auto& entry : ranked) pods.push_back(std::move(entry.pod));
  return pods;
}

Plan reconcile_replicas(const ReplicaKind& of, const Snapshot& snapshot, const ObjectKey& key,
                        Env& env) {
  const Value& set = snapshot.find(of.kind, key.namespace_, key.name);
  if (!set.has_value()) return Plan::done();
  const auto selector = of.selector_of(set);
  if (!selector) return Plan::done();  // validation keeps such a set out
  Plan plan;
  auto owned = snapshot.owned_by(kinds::kPods, object_uid(set));
  plan_claims(plan, snapshot, kinds::kPods, {set, of.api_version, of.name, *selector},
              is_pod_active, owned);
  std::vector<Value> active;
  std::ranges::copy_if(owned, std::back_inserter(active), is_pod_active);
  std::optional<Duration> look_again;
  const Value status = new_status(of, set, owned, env.now, look_again);
  // The status first: it is what is, and the writes that follow change it again.
  if (!(status == set[keys::kStatus])) {
    plan.update_status(of.kind, set.with(keys::kStatus, status)).on_error =
        OnError::kTolerateNotFound;
  }
  if (!is_deleting(set)) {
    const auto wanted = static_cast<size_t>(set[keys::kSpec][keys::kReplicas].as_int(1));
    plan_scale(plan, of, snapshot, set, active, wanted, env);
  }
  if (look_again) plan.look_again_after(*look_again + milliseconds(1));
  return plan;
}

namespace {

ControllerSpec controller_of_replicas(const ReplicaKind& of) {
  ControllerSpec spec;
  spec.name = of.controller;
  spec.kind = of.kind;
  spec.watches = {{of.kind, own_key(), {}},
                  {kinds::kPods,
                   claimant_keys(of.kind, std::string(of.name), of.selector_of),
                   {{std::string(kOrphans), orphans_by_namespace()}}}};
  spec.decide = [&of](const Snapshot& snapshot, const ObjectKey& key, Env& env) {
    return reconcile_replicas(of, snapshot, key, env);
  };
  return spec;
}

}  // namespace

ControllerSpec replica_set_controller() {
  return controller_of_replicas(kReplicaSet);
}

ControllerSpec replication_controller_controller() {
  return controller_of_replicas(kReplicationController);
}

}  // namespace minik::control
