#include "control/controllers/deployment.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/claims.h"
#include "control/controllers/deployment_rollout.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"
#include "control/schema/views/apps.h"

namespace minik::control {

namespace {

constexpr std::string_view kRevision = "deployment.kubernetes.io/revision";
constexpr std::string_view kRevisionHistory = "deployment.kubernetes.io/revision-history";
constexpr std::string_view kDesired = "deployment.kubernetes.io/desired-replicas";
constexpr std::string_view kMax = "deployment.kubernetes.io/max-replicas";
constexpr std::string_view kHash = "pod-template-hash";
constexpr std::string_view kLastApplied = "kubectl.kubernetes.io/last-applied-configuration";

int64_t revision_of(const Value& object) {
  return parse_int64(object[keys::kMetadata][keys::kAnnotations].get(kRevision).as_string())
      .value_or(0);
}

// The template without the label that the controller itself adds: what two revisions differ in.
Value bare_template(const Value& pod_template) {
  const Value& labels = pod_template[keys::kMetadata][keys::kLabels];
  if (!labels.contains(kHash)) return pod_template;
  return pod_template.with_at({keys::kMetadata, keys::kLabels}, labels.without(kHash));
}

// Writes the set with this size and, beside it, what proportional scaling needs to know later.
Value sized(const DeploymentRollout& rollout, const Value& set, int64_t replicas) {
  const int64_t wanted = rollout.wanted();
  Value next = set.with_at({keys::kSpec, keys::kReplicas}, replicas);
  next = with_annotation(next, kDesired, cat(wanted));
  return with_annotation(next, kMax, cat(wanted + rollout.bounds.surge));
}

void scale_set(DeploymentRollout& rollout, const Value& set, int64_t replicas) {
  const int64_t before = spec_replicas(set);
  const Value next = sized(rollout, set, replicas);
  if (next == set) return;
  auto& write = rollout.plan.update(kinds::kReplicasets, next);
  if (before != replicas) {
    write.event = EventNote{rollout.about(), "Normal", "ScalingReplicaSet",
                            cat("Scaled ", replicas > before ? "up" : "down", " replica set ",
                                object_name(set), " from ", before, " to ", replicas)};
  }
}

int64_t new_set_size(const DeploymentRollout& rollout) {
  const int64_t wanted = rollout.wanted();
  if (rollout.deployment[keys::kSpec][keys::kStrategy][keys::kType].as_string() == "Recreate")
    return wanted;
  const int64_t current = rollout.new_set.has_value() ? spec_replicas(rollout.new_set) : 0;
  const int64_t room = wanted + rollout.bounds.surge - rollout.total_wanted();
  if (room <= 0) return current;
  return current + std::min(room, wanted - current);
}

// The deployment's annotations (a change cause among them) stand on its new set too, where the
// history is read; what is the sets' own business, or kubectl's, stays apart.
Value annotations_for_set(const Value& deployment, const Value& set) {
  MapBuilder annotations(set[keys::kMetadata][keys::kAnnotations]);
  for (const auto& [name, value] : deployment[keys::kMetadata][keys::kAnnotations].entries()) {
    const auto text = name.text();
    if (text == kLastApplied || text == kRevision || text == kRevisionHistory || text == kDesired ||
        text == kMax) {
      continue;
    }
    annotations.set(name, value);
  }
  return std::move(annotations).build();
}

void create_new_set(DeploymentRollout& rollout, int64_t revision) {
  const Value& deployment = rollout.deployment;
  const DeploymentView view(deployment);
  const Value& pod_template = view.spec().template_().raw();
  const std::string hash =
      pod_template_hash(pod_template, deployment[keys::kStatus][keys::kCollisionCount].as_int());
  const auto labelled = [&](const Value& labels) { return labels.with(kHash, hash); };
  const Value template_with_hash = pod_template.with_at(
      {keys::kMetadata, keys::kLabels}, labelled(pod_template[keys::kMetadata][keys::kLabels]));
  const Value selector = view.spec().selector().raw().with(
      keys::kMatchLabels, labelled(view.spec().selector().raw()[keys::kMatchLabels]));
  MapBuilder annotations(annotations_for_set(deployment, Value()));
  annotations.set(kRevision, cat(revision));
  Value set = Value::map(
      {{keys::kMetadata,
        Value::map({{keys::kName, cat(object_name(deployment), "-", hash)},
                    {keys::kNamespace, deployment[keys::kMetadata][keys::kNamespace]},
                    {keys::kLabels, template_with_hash[keys::kMetadata][keys::kLabels]},
                    {keys::kAnnotations, std::move(annotations).build()},
                    {keys::kOwnerReferences,
                     Value::array({controller_reference(deployment, "apps/v1", "Deployment")})}})},
       {keys::kSpec,
        Value::map({{keys::kMinReadySeconds, view.spec().minReadySeconds() == 0
                                                 ? Value()
                                                 : Value(view.spec().minReadySeconds())},
                    {keys::kSelector, selector},
                    {keys::kTemplate, template_with_hash}})}});
  const int64_t size = new_set_size(rollout);
  set = sized(rollout, set, size);
  rollout.created_name = std::string(object_name(set));
  auto& write = rollout.plan.create(kinds::kReplicasets, set);
  write.on_error = OnError::kTolerateExists;
  if (size > 0) {
    write.event = EventNote{rollout.about(), "Normal", "ScalingReplicaSet",
                            cat("Scaled up replica set ", object_name(set), " from 0 to ", size)};
  }
  write.failure_event =
      EventNote{rollout.about(), "Warning", "ReplicaSetCreateError",
                cat("Failed to create new replica set ", quoted(object_name(set)), ": %error%")};
  write.amends = failed_creation(rollout, rollout.created_name);
}

// Somebody else's set has the name that the template's hash gives: count the collision, so that the
// next look makes another name.
bool plan_next_collision(DeploymentRollout& rollout, const Snapshot& snapshot) {
  const Value& deployment = rollout.deployment;
  const int64_t collisions = deployment[keys::kStatus][keys::kCollisionCount].as_int();
  const std::string name =
      cat(object_name(deployment), "-",
          pod_template_hash(deployment[keys::kSpec][keys::kTemplate], collisions));
  if (!snapshot.find(kinds::kReplicasets, object_namespace(deployment), name).has_value())
    return false;
  rollout.plan.update_status(
      kinds::kDeployments,
      deployment.with_at({keys::kStatus, keys::kCollisionCount}, collisions + 1));
  return true;
}

// No more than the set is to keep: right after it was shrunk its status still counts pods that are about to go, and whoever
// takes these for available stops the last ones that serve.
int64_t lasting_available(const Value& set) {
  return std::min(spec_replicas(set), status_count(set, keys::kAvailableReplicas));
}

// Pods of old sets that may go now: what is above the least that must be available, first those
// that are not available anyway.
void scale_down_old(DeploymentRollout& rollout) {
  int64_t old_wanted = 0;
  for (const auto& set : rollout.old_sets) old_wanted += spec_replicas(set);
  if (old_wanted == 0) return;
  const int64_t least_available = rollout.wanted() - rollout.bounds.unavailable;
  const int64_t new_wanted = spec_replicas(rollout.new_set);
  const int64_t new_unavailable = new_wanted - lasting_available(rollout.new_set);
  int64_t may_go = rollout.total_wanted() - least_available - new_unavailable;
  if (may_go <= 0) return;
  std::vector<std::pair<Value, int64_t>> sizes;
  for (const auto& set : rollout.old_sets) sizes.emplace_back(set, spec_replicas(set));
  for (auto& [set, size] : sizes) {  // unhealthy pods first: deleting them costs nothing
    const int64_t unhealthy = size - lasting_available(set);
    const int64_t gone = std::min(unhealthy, may_go);
    size -= gone;
    may_go -= gone;
  }
  // Healthy ones only as far as availability, as it is now, allows.
  int64_t healthy_may_go = -least_available;
  for (const auto& set : rollout.all_sets()) healthy_may_go += lasting_available(set);
  for (auto& [set, size] : sizes) {
    const int64_t gone = std::max<int64_t>(0, std::min({size, may_go, healthy_may_go}));
    size -= gone;
    may_go -= gone;
    healthy_may_go -= gone;
  }
  for (const auto& [set, size] : sizes) {
    if (size != spec_replicas(set)) scale_set(rollout, set, size);
  }
}

void rolling_update(DeploymentRollout& rollout) {
  const int64_t size = new_set_size(rollout);
  const int64_t current = spec_replicas(rollout.new_set);
  if (size != current) {
    scale_set(rollout, rollout.new_set, std::min(size, rollout.wanted()));
    return;
  }
  if (current > rollout.wanted()) {
    scale_set(rollout, rollout.new_set, rollout.wanted());
    return;
  }
  scale_down_old(rollout);
}

// Pods of earlier revisions are wanted or not yet ended; those on their way out count, which the sets' statuses leave out.
bool old_pods_run(const DeploymentRollout& rollout, const Snapshot& snapshot) {
  return std::ranges::any_of(rollout.old_sets, [&](const Value& set) {
    return spec_replicas(set) > 0 || !std::ranges::all_of(snapshot.owned_by(kinds::kPods, object_uid(set)), is_pod_ended);
  });
}

void recreate(DeploymentRollout& rollout, const Snapshot& snapshot) {
  for (const auto& set : rollout.old_sets) {
    if (spec_replicas(set) > 0) scale_set(rollout, set, 0);
  }
  // The new pods wait until the last old one has ended.
  if (!rollout.new_set.has_value() || old_pods_run(rollout, snapshot)) return;
  if (spec_replicas(rollout.new_set) != rollout.wanted()) {
    scale_set(rollout, rollout.new_set, rollout.wanted());
  }
}

bool is_recreating(const DeploymentRollout& rollout) {
  return rollout.deployment[keys::kSpec][keys::kStrategy][keys::kType].as_string() == "Recreate";
}

// The newest of the old sets, or absent.
Value latest_of(const DeploymentRollout& rollout) { return rollout.old_sets.empty() ? Value() : rollout.old_sets.back(); }

// By how much a set grows (or shrinks, below zero) when the rollout's ceiling goes from what it was when the set was
// last sized to `allowed`: in proportion, rounded to the nearest.
int64_t share_of(const DeploymentRollout& rollout, const Value& set, int64_t allowed) {
  const int64_t size = spec_replicas(set);
  if (rollout.wanted() == 0) return -size;
  int64_t before =
      parse_int64(set[keys::kMetadata][keys::kAnnotations].get(kMax).as_string()).value_or(0);
  if (before <= 0) before = status_count(rollout.deployment, keys::kReplicas);
  if (before <= 0) return 0;
  return (2 * size * allowed + before) / (2 * before) - size;
}

// All pods that are wanted are the new set's, and serve.
bool is_saturated(const DeploymentRollout& rollout) {
  const Value& set = rollout.new_set;
  if (!set.has_value()) return false;
  const auto desired = parse_int64(set[keys::kMetadata][keys::kAnnotations].get(kDesired).as_string());
  return spec_replicas(set) == rollout.wanted() && desired == rollout.wanted() &&
         status_count(set, keys::kAvailableReplicas) == rollout.wanted();
}

// The Deployment was resized in the middle of a rollout (or while paused): every set gets its
// share.
bool scale_proportionally(DeploymentRollout& rollout) {
  std::vector<Value> active;
  for (const auto& set : rollout.all_sets()) {
    if (spec_replicas(set) > 0) active.push_back(set);
  }
  // A paused Deployment without pods grows by the set that it had last.
  if (rollout.paused() && active.empty()) active = {rollout.new_set.has_value() ? rollout.new_set : latest_of(rollout)};
  if (active.empty() || !active[0].has_value()) return false;
  const bool resized = rollout.paused() || std::ranges::any_of(active, [&](const Value& set) {
    const auto desired =
        parse_int64(set[keys::kMetadata][keys::kAnnotations].get(kDesired).as_string());
    return desired && *desired != rollout.wanted();
  });
  if (!resized) return false;
  if (active.size() == 1) {
    scale_set(rollout, active[0], rollout.wanted());
    return true;
  }
  if (is_saturated(rollout)) {
    for (const auto& set : rollout.old_sets) {
      if (spec_replicas(set) > 0) scale_set(rollout, set, 0);
    }
    return true;
  }
  if (is_recreating(rollout)) return rollout.paused();
  const int64_t allowed = rollout.wanted() > 0 ? rollout.wanted() + rollout.bounds.surge : 0;
  const int64_t to_add = allowed - rollout.total_wanted();
  // Larger sets first, and of equal ones the newer when growing, the older when shrinking.
  std::ranges::stable_sort(active, [&](const Value& a, const Value& b) {
    if (spec_replicas(a) != spec_replicas(b)) return spec_replicas(a) > spec_replicas(b);
    return to_add >= 0 ? revision_of(a) > revision_of(b) : revision_of(a) < revision_of(b);
  });
  std::vector<int64_t> sizes;
  int64_t left = to_add;
  for (const auto& set : active) {
    const int64_t share = share_of(rollout, set, allowed);
    const int64_t change = to_add == 0 ? 0 : to_add > 0 ? std::min(share, left) : std::max(share, left);
    left -= change;
    sizes.push_back(spec_replicas(set) + change);
  }
  sizes[0] += left;  // what rounding left over
  for (auto& size : sizes) size = std::max<int64_t>(0, size);
  for (size_t i = 0; i < active.size(); ++i) scale_set(rollout, active[i], sizes[i]);
  return true;
}

void clean_up_history(DeploymentRollout& rollout) {
  const int64_t keep = rollout.deployment[keys::kSpec][keys::kRevisionHistoryLimit].as_int(10);
  std::vector<Value> history;
  std::ranges::copy_if(rollout.old_sets, std::back_inserter(history), [](const Value& set) { return !is_deleting(set); });
  std::ranges::stable_sort(history, {}, revision_of);
  for (size_t i = 0; static_cast<int64_t>(history.size() - i) > keep; ++i) {
    const Value& set = history[i];
    const bool idle = spec_replicas(set) == 0 && status_count(set, keys::kReplicas) == 0 &&
                      set[keys::kStatus][keys::kObservedGeneration].as_int() >=
                          set[keys::kMetadata][keys::kGeneration].as_int();
    if (idle) rollout.plan.remove(kinds::kReplicasets, set);
  }
}

int64_t latest_revision(const std::vector<Value>& sets) {
  int64_t latest = 0;
  for (const auto& set : sets) latest = std::max(latest, revision_of(set));
  return latest;
}

// What the new set says of the deployment besides its template: annotations, minReadySeconds, and
// the next revision number when it is the new one again (a rollback), with the earlier numbers as
// its history.
Value refreshed_new_set(const DeploymentRollout& rollout) {
  const Value& set = rollout.new_set;
  Value next = set.with_at({keys::kMetadata, keys::kAnnotations},
                           annotations_for_set(rollout.deployment, set));
  const Value& pause = rollout.deployment[keys::kSpec][keys::kMinReadySeconds];
  if (pause.as_int() != set[keys::kSpec][keys::kMinReadySeconds].as_int()) {
    next = next.with_at({keys::kSpec, keys::kMinReadySeconds}, pause);
  }
  const int64_t revision = latest_revision(rollout.old_sets) + 1;
  const int64_t earlier = revision_of(set);
  if (earlier >= revision) return next;
  if (earlier > 0) {
    const auto history = set[keys::kMetadata][keys::kAnnotations].get(kRevisionHistory).as_string();
    next = with_annotation(next, kRevisionHistory,
                           history.empty() ? cat(earlier) : cat(history, ",", earlier));
  }
  return with_annotation(next, kRevision, cat(revision));
}

// True when something changed.
bool plan_revisions(DeploymentRollout& rollout) {
  const Value refreshed = refreshed_new_set(rollout);
  if (!(refreshed == rollout.new_set)) {
    rollout.plan.update(kinds::kReplicasets, refreshed);
    return true;
  }
  if (revision_of(rollout.deployment) != revision_of(rollout.new_set)) {
    rollout.plan.update(kinds::kDeployments, with_annotation(rollout.deployment, kRevision,
                                                             cat(revision_of(rollout.new_set))));
    return true;
  }
  return false;
}

}  // namespace

RolloutBounds rollout_bounds(const Value& deployment) {
  const Value& spec = deployment[keys::kSpec];
  if (spec[keys::kStrategy][keys::kType].as_string() == "Recreate") return {0, 0};
  const Value& rolling = spec[keys::kStrategy][keys::kRollingUpdate];
  const int64_t replicas = spec_replicas(deployment);
  RolloutBounds bounds{scaled(rolling[keys::kMaxSurge], replicas, true),
                       scaled(rolling[keys::kMaxUnavailable], replicas, false)};
  if (bounds.surge == 0 && bounds.unavailable == 0) bounds.unavailable = 1;
  bounds.unavailable = std::min(bounds.unavailable, replicas);
  return bounds;
}

std::string pod_template_hash(const Value& pod_template, int64_t collision_count) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  const uint64_t content =
      bare_template(pod_template).hash() + static_cast<uint64_t>(collision_count);
  const uint32_t hash = fnv1a_32(cat(content));
  // Decimal digits mapped to letters that spell nothing, as Kubernetes' SafeEncodeString does.
  std::string text = cat(hash);
  for (char& c : text) c = kAlphabet[static_cast<size_t>(c) % kAlphabet.size()];
  return text;
}

Plan reconcile_deployment(const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& deployment = snapshot.find(kinds::kDeployments, key.namespace_, key.name);
  if (!deployment.has_value()) return Plan::done();
  DeploymentRollout rollout{deployment, env.now, {}, {}, rollout_bounds(deployment), {}};
  auto sets = snapshot.owned_by(kinds::kReplicasets, object_uid(deployment));
  const auto selector = LabelSelector::from_object(deployment[keys::kSpec][keys::kSelector]);
  if (!selector) return Plan::done();  // validation keeps such a Deployment out
  plan_claims(
      rollout.plan, snapshot, kinds::kReplicasets, {deployment, "apps/v1", "Deployment", *selector},
      [](const Value& set) { return !is_deleting(set); }, sets);
  // What was adopted has a new version: the rollout goes on with it when it is here.
  if (!rollout.plan.writes.empty()) return std::move(rollout.plan);
  std::ranges::stable_sort(sets, {}, [](const Value& set) {
    return std::make_pair(set[keys::kMetadata][keys::kCreationTimestamp].string(),
                          revision_of(set));
  });
  const Value wanted = bare_template(deployment[keys::kSpec][keys::kTemplate]);
  for (const auto& set : sets) {
    if (!rollout.new_set.has_value() &&
        bare_template(set[keys::kSpec][keys::kTemplate]) == wanted) {
      rollout.new_set = set;
    } else {
      rollout.old_sets.push_back(set);
    }
  }
  if (is_deleting(deployment)) {
    plan_deployment_status(rollout, false);
    return std::move(rollout.plan);
  }
  if (rollout.paused()) {
    scale_proportionally(rollout);
    clean_up_history(rollout);
    plan_deployment_status(rollout, false);
    return std::move(rollout.plan);
  }
  if (!rollout.new_set.has_value()) {
    if (plan_next_collision(rollout, snapshot)) return std::move(rollout.plan);
    const bool waits = is_recreating(rollout) && (rollout.total(keys::kReplicas) > 0 || old_pods_run(rollout, snapshot));
    if (waits) {
      recreate(rollout, snapshot);
    } else {
      create_new_set(rollout, latest_revision(rollout.old_sets) + 1);
    }
    plan_deployment_status(rollout, !waits);
    return std::move(rollout.plan);
  }
  if (!plan_revisions(rollout) && !scale_proportionally(rollout)) {
    if (deployment[keys::kSpec][keys::kStrategy][keys::kType].as_string() == "Recreate") {
      recreate(rollout, snapshot);
    } else {
      rolling_update(rollout);
    }
    if (is_rollout_complete(rollout, deployment[keys::kStatus])) clean_up_history(rollout);
  }
  // A plan that updates the Deployment itself has used up its resourceVersion: the status follows
  // when the change comes back.
  const bool own_update = std::ranges::any_of(rollout.plan.writes, [](const PlannedWrite& w) {
    return w.request.kind == kinds::kDeployments;
  });
  if (!own_update) plan_deployment_status(rollout, false);
  return std::move(rollout.plan);
}

ControllerSpec deployment_controller() {
  ControllerSpec spec;
  spec.name = "deployment-controller";
  spec.kind = kinds::kDeployments;
  spec.watches = {{kinds::kDeployments, own_key(), {}},
                  {kinds::kReplicasets,
                   claimant_keys(kinds::kDeployments, "Deployment"),
                   {{std::string(kOrphans), orphans_by_namespace()}}},
                  {kinds::kPods, nullptr, {}}};
  spec.decide = reconcile_deployment;
  return spec;
}

}  // namespace minik::control
