#include "control/controllers/replica_set.h"

#include <algorithm>
#include <bit>
#include <map>

#include "control/base/text.h"
#include "control/controllers/claims.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"
#include "control/schema/views/apps.h"
#include "control/schema/views/core.h"

namespace minik::control {

namespace {

constexpr size_t kBurstReplicas = 500;  // creations and deletions of one reconcile, as Kubernetes
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
Value pod_of(const Value& set) {
  const ReplicaSetView view(set);
  const Value& metadata = view.spec().template_().metadata().raw();
  return Value::map({{keys::kMetadata,
                      Value::map({{keys::kGenerateName, cat(object_name(set), "-")},
                                  {keys::kNamespace, set[keys::kMetadata][keys::kNamespace]},
                                  {keys::kLabels, metadata[keys::kLabels]},
                                  {keys::kAnnotations, metadata[keys::kAnnotations]},
                                  {keys::kFinalizers, metadata[keys::kFinalizers]},
                                  {keys::kOwnerReferences, Value::array({controller_reference(
                                                               set, "apps/v1", "ReplicaSet")})}})},
                     {keys::kSpec, view.spec().template_().spec().raw()}});
}

// How many live pods each node has of this set and of the other sets of its Deployment: a rollout's
// pods crowd a node together.
PodsByNode pods_by_node(const Snapshot& snapshot, const Value& set,
                        const std::vector<Value>& active) {
  PodsByNode counts;
  const auto count = [&](const Value& pod) {
    if (is_pod_active(pod)) ++counts[std::string(PodView(pod).spec().nodeName())];
  };
  std::ranges::for_each(active, count);
  const Value& controller = controller_of(set);
  if (!controller.has_value()) return counts;
  for (const auto& sibling :
       snapshot.owned_by(kinds::kReplicasets, controller[keys::kUid].as_string())) {
    if (object_uid(sibling) == object_uid(set)) continue;
    for (const auto& pod : snapshot.owned_by(kinds::kPods, object_uid(sibling))) count(pod);
  }
  return counts;
}

void plan_scale(Plan& plan, const Snapshot& snapshot, const Value& set,
                const std::vector<Value>& active, size_t wanted, Env& env) {
  const Value about = typed(set, "apps/v1", "ReplicaSet");
  if (active.size() < wanted) {
    const Value pod = pod_of(set);
    for (size_t i = active.size(); i < std::min(wanted, active.size() + kBurstReplicas); ++i) {
      auto& write = plan.create(kinds::kPods, pod);
      write.independent = true;
      write.event = EventNote{about, "Normal", "SuccessfulCreate", "Created pod: %name%"};
      write.failure_event = EventNote{about, "Warning", "FailedCreate", "Error creating: %error%"};
    }
  } else if (active.size() > wanted) {
    const auto ranked = by_deletion_rank(active, pods_by_node(snapshot, set, active), env.now);
    const size_t surplus = std::min(active.size() - wanted, kBurstReplicas);
    for (size_t i = 0; i < surplus; ++i) {
      auto& write = plan.remove(kinds::kPods, ranked[i]);
      write.independent = true;
      write.event = EventNote{about, "Normal", "SuccessfulDelete",
                              cat("Deleted pod: ", object_name(ranked[i]))};
    }
  }
}

Value new_status(const Value& set, const std::vector<Value>& owned, WallTime now,
                 std::optional<Duration>& look_again) {
  const ReplicaSetView view(set);
  const int64_t min_ready = view.spec().minReadySeconds();
  const auto labels = LabelSelector::from_map(view.spec().template_().metadata().labels());
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
  status.set(keys::kTerminatingReplicas, terminating == 0 ? Value() : Value(terminating));
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

Plan reconcile_replica_set(const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& set = snapshot.find(kinds::kReplicasets, key.namespace_, key.name);
  if (!set.has_value()) return Plan::done();
  const ReplicaSetView view(set);
  const auto selector = LabelSelector::from_object(view.spec().selector().raw());
  if (!selector) return Plan::done();  // validation keeps such a set out
  Plan plan;
  auto owned = snapshot.owned_by(kinds::kPods, object_uid(set));
  plan_claims(plan, snapshot, kinds::kPods, {set, "apps/v1", "ReplicaSet", *selector},
              is_pod_active, owned);
  std::vector<Value> active;
  std::ranges::copy_if(owned, std::back_inserter(active), is_pod_active);
  std::optional<Duration> look_again;
  const Value status = new_status(set, owned, env.now, look_again);
  // The status first: it is what is, and the writes that follow change it again.
  if (!(status == set[keys::kStatus])) {
    plan.update_status(kinds::kReplicasets, set.with(keys::kStatus, status)).on_error =
        OnError::kTolerateNotFound;
  }
  if (!is_deleting(set)) {
    plan_scale(plan, snapshot, set, active, static_cast<size_t>(view.spec().replicas()), env);
  }
  if (look_again) plan.look_again_after(*look_again + milliseconds(1));
  return plan;
}

ControllerSpec replica_set_controller() {
  ControllerSpec spec;
  spec.name = "replicaset-controller";
  spec.kind = kinds::kReplicasets;
  spec.watches = {{kinds::kReplicasets, own_key(), {}},
                  {kinds::kPods,
                   claimant_keys(kinds::kReplicasets, "ReplicaSet"),
                   {{std::string(kOrphans), orphans_by_namespace()}}}};
  spec.decide = reconcile_replica_set;
  return spec;
}

}  // namespace minik::control
