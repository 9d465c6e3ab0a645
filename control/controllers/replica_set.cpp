#include "control/controllers/replica_set.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/deletion_order.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"

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

void plan_creations(Plan& plan, const ReplicaKind& of, const Value& set, size_t missing, const Env& env) {
  const Value about = typed(set, of.api_version, of.name);
  const Value pod = pod_of(of, set);
  const auto amends = failure_condition(of, set, "FailedCreate", env.now);
  for (size_t i = 0; i < std::min(missing, kBurstReplicas); ++i) {
    auto& write = plan.create(kinds::kPods, pod);
    write.independent = true;
    write.event = EventNote{about, "Normal", "SuccessfulCreate", "Created pod: %name%"};
    write.failure_event = EventNote{about, "Warning", "FailedCreate", "Error creating: %error%"};
    write.amends = amends;
  }
}

// The other sets of its Deployment, whose pods crowd the nodes as well.
std::vector<std::string> siblings_of(const ReplicaKind& of, const Snapshot& snapshot, const Value& set) {
  std::vector<std::string> uids;
  const Value& controller = controller_of(set);
  if (!controller.has_value()) return uids;
  for (const auto& sibling : snapshot.owned_by(of.kind, controller[keys::kUid].as_string())) {
    if (object_uid(sibling) != object_uid(set)) uids.emplace_back(object_uid(sibling));
  }
  return uids;
}

void plan_deletions(Plan& plan, const ReplicaKind& of, const Snapshot& snapshot, const Value& set, size_t surplus,
                    const Env& env) {
  const Value about = typed(set, of.api_version, of.name);
  const auto& pods = snapshot.cache(kinds::kPods);
  const auto ranked = pods.view<DeletionOrder>().first(pods, set, siblings_of(of, snapshot, set), env.now,
                                                       std::min(surplus, kBurstReplicas));
  const auto amends = failure_condition(of, set, "FailedDelete", env.now);
  for (const auto& pod : ranked) {
    auto& write = plan.remove(kinds::kPods, pod);
    write.independent = true;
    write.event = EventNote{about, "Normal", "SuccessfulDelete", cat("Deleted pod: ", object_name(pod))};
    write.failure_event = EventNote{about, "Warning", "FailedDelete", "Error deleting: %error%"};
    write.amends = amends;
  }
}

// The conditions without a failure that is over.
Value conditions_of(const Value& set, bool settled) {
  return (settled ? without_condition(set, kReplicaFailure) : set)[keys::kStatus][keys::kConditions];
}

// A pod as its set counts it.
enum PodTrait : uint32_t { kEnded = 1, kDeleting = 2, kReady = 4 };

Trait trait_of(const Value& pod) {
  const uint32_t bits = (is_pod_ended(pod) ? kEnded : 0U) | (is_deleting(pod) ? kDeleting : 0U) |
                        (is_pod_ready(pod) ? kReady : 0U);
  return {bits, pod[keys::kMetadata][keys::kLabels], pod[keys::kMetadata][keys::kNamespace]};
}

// By the uid of the set.
TallyFunction pods_by_set(std::string_view kind_name) {
  return [kind_name](const Value& pod) -> TallyEntry {
    const Value& owner = controller_of(pod);
    if (owner[keys::kKind].as_string() != kind_name) return {};
    return {owner[keys::kUid], trait_of(pod)};
  };
}

struct Counts {
  int64_t active = 0, labelled = 0, ready = 0, available = 0, terminating = 0;

  // Pods that are alike; of the ready ones, so many are available.
  void add(const Trait& trait, size_t number, size_t are_available, const LabelSelector& template_labels) {
    const auto n = static_cast<int64_t>(number);
    if (trait.bits & kEnded) return;
    if (trait.bits & kDeleting) {
      terminating += n;
      return;
    }
    active += n;
    if (template_labels.matches(trait.labels)) labelled += n;
    if (!(trait.bits & kReady)) return;
    ready += n;
    available += static_cast<int64_t>(are_available);
  }
};

LabelSelector template_labels_of(const Value& set) {
  return LabelSelector::from_map(set[keys::kSpec][keys::kTemplate][keys::kMetadata][keys::kLabels]);
}

Counts count_pods(const Value& set, const std::vector<Value>& owned, WallTime now,
                  std::optional<Duration>& look_again) {
  const int64_t min_ready = set[keys::kSpec][keys::kMinReadySeconds].as_int();
  const auto labels = template_labels_of(set);
  Counts counts;
  for (const auto& pod : owned) {
    const bool available = is_pod_available(pod, min_ready, now);
    const Trait trait = trait_of(pod);
    counts.add(trait, 1, available ? 1 : 0, labels);
    if (available || trait.bits != kReady) continue;
    if (const auto since = time_of(condition(pod, "Ready")[keys::kLastTransitionTime])) {
      const Duration left = *since + seconds(min_ready) - now;
      look_again = look_again ? std::min(*look_again, left) : left;
    }
  }
  return counts;
}

// What the tally knows, as long as it is all that matters: no pod to release or to adopt, none that becomes
// available by waiting.
std::optional<Counts> tallied_pods(const ReplicaKind& of, const Snapshot& snapshot, const Value& set,
                                   const LabelSelector& selector) {
  if (set[keys::kSpec][keys::kMinReadySeconds].as_int() > 0) return std::nullopt;
  if (!is_deleting(set) && !snapshot.indexed(kinds::kPods, kOrphans, object_namespace(set)).empty())
    return std::nullopt;
  const auto labels = template_labels_of(set);
  Counts counts;
  for (const auto& [trait, number] : snapshot.tally(kinds::kPods, of.name, object_uid(set))) {
    if (!(trait.namespace_ == set[keys::kMetadata][keys::kNamespace])) continue;
    if (!selector.matches(trait.labels)) return std::nullopt;
    counts.add(trait, number, number, labels);
  }
  return counts;
}

Value new_status(const ReplicaKind& of, const Value& set, const Counts& counts) {
  MapBuilder status(set[keys::kStatus]);
  const auto set_unless_zero = [&](const Key& key, int64_t count) {
    status.set(key, count == 0 ? Value() : Value(count));
  };
  status.set(keys::kReplicas, counts.active);
  set_unless_zero(keys::kFullyLabeledReplicas, counts.labelled);
  set_unless_zero(keys::kReadyReplicas, counts.ready);
  set_unless_zero(keys::kAvailableReplicas, counts.available);
  if (of.counts_terminating) set_unless_zero(keys::kTerminatingReplicas, counts.terminating);
  const bool settled = counts.active == set[keys::kSpec][keys::kReplicas].as_int(1);
  status.set(keys::kConditions, conditions_of(set, settled));
  status.set(keys::kObservedGeneration, set[keys::kMetadata][keys::kGeneration]);
  return std::move(status).build();
}

}  // namespace

Plan reconcile_replicas(const ReplicaKind& of, const Snapshot& snapshot, const ObjectKey& key,
                        Env& env) {
  const Value& set = snapshot.find(of.kind, key.namespace_, key.name);
  if (!set.has_value()) return Plan::done();
  const auto selector = of.selector_of(set);
  if (!selector) return Plan::done();  // validation keeps such a set out
  const int64_t wanted = set[keys::kSpec][keys::kReplicas].as_int(1);
  Plan plan;
  std::optional<Duration> look_again;
  auto counts = tallied_pods(of, snapshot, set, *selector);
  // Which pods they are matters where one has to change hands.
  if (!counts) {
    auto owned = snapshot.owned_by(kinds::kPods, object_uid(set));
    std::erase_if(owned, [&](const Value& pod) { return object_namespace(pod) != object_namespace(set); });
    plan_claims(plan, snapshot, kinds::kPods, {set, of.api_version, of.name, *selector},
                is_pod_active, owned);
    counts = count_pods(set, owned, env.now, look_again);
  }
  // Pods that change hands first: this is decided again when they have.
  const bool owned_as_cached = plan.empty();
  const Value status = new_status(of, set, *counts);
  // The status first: it is what is, and the writes that follow change it again.
  if (!(status == set[keys::kStatus])) {
    plan.update_status(of.kind, set.with(keys::kStatus, status)).on_error =
        OnError::kTolerateNotFound;
  }
  if (!is_deleting(set) && counts->active < wanted) {
    plan_creations(plan, of, set, static_cast<size_t>(wanted - counts->active), env);
  } else if (!is_deleting(set) && counts->active > wanted && owned_as_cached) {
    plan_deletions(plan, of, snapshot, set, static_cast<size_t>(counts->active - wanted), env);
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
                   {{std::string(kOrphans), orphans_by_namespace()}},
                   {{std::string(of.name), pods_by_set(of.name)}},
                   false,
                   {{DeletionOrder::kName, &DeletionOrder::make}}}};
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
