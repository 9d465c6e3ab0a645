#include "control/controllers/stateful_set.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/base/text.h"
#include "control/controllers/claims.h"
#include "control/controllers/pods.h"
#include "control/controllers/revisions.h"
#include "control/controllers/stateful_pod.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kStatefulSetVersion = "apps/v1";
constexpr std::string_view kStatefulSetKind = "StatefulSet";
constexpr std::string_view kHashLabel = "controller.kubernetes.io/hash";
constexpr size_t kCreationsMax = 500;  // creations of one look, however many pods are wanted

struct StatefulRollout {
  const Value& set;
  const Snapshot& snapshot;
  WallTime now;
  Plan plan;
  RevisionHistory history;
  Value current;  // the revision before the roll-out; the latest when there is none
  bool ordered;
  int64_t min_ready;
  std::map<int64_t, Value> replicas = {};  // that are there, by index: the ordinal less the first one
  std::vector<Value> condemned = {};       // highest ordinal first
  std::string first_unhealthy = {};        // uid of the lowest pod that is not available

  int64_t wanted() const { return set[keys::kSpec][keys::kReplicas].as_int(1); }
  Value about() const { return typed(set, kStatefulSetVersion, kStatefulSetKind); }
  bool is_latest(const Value& pod) const {
    return revision_label_of(pod) == object_name(history.latest);
  }
  static bool serves(const Value& pod) {
    return pod[keys::kStatus][keys::kPhase].as_string() == "Running" && is_pod_ready(pod);
  }
  bool available(const Value& pod) const {
    return serves(pod) && is_pod_available(pod, min_ready, now);
  }
  bool healthy(const Value& pod) const { return available(pod) && !is_deleting(pod); }
  // The pod of this index, or absent: it is missing.
  const Value& replica(int64_t index) const {
    const auto found = replicas.find(index);
    return found == replicas.end() ? Value::absent() : found->second;
  }
  // The lowest index whose pod is missing or not healthy; wanted() where there is none.
  int64_t first_to_wait_for() const {
    int64_t next = 0;
    for (const auto& [index, pod] : replicas) {
      if (index != next || !healthy(pod)) break;
      ++next;
    }
    return next;
  }
};

void sort_pods(StatefulRollout& rollout, const std::vector<Value>& pods) {
  const int64_t first = first_ordinal(rollout.set);
  for (const auto& pod : pods) {
    const auto ordinal = ordinal_of(rollout.set, pod);
    if (!ordinal) continue;
    if (is_wanted(rollout.set, *ordinal)) {
      rollout.replicas[*ordinal - first] = pod;
    } else {
      rollout.condemned.push_back(pod);
    }
  }
  const auto by_ordinal = [&](const Value& pod) { return *ordinal_of(rollout.set, pod); };
  std::ranges::sort(rollout.condemned, std::ranges::greater{}, by_ordinal);
  if (const int64_t index = rollout.first_to_wait_for(); index < rollout.wanted()) {
    rollout.first_unhealthy = object_uid(rollout.replica(index));
    return;
  }
  for (auto pod = rollout.condemned.rbegin(); pod != rollout.condemned.rend(); ++pod) {
    if (rollout.healthy(*pod)) continue;
    rollout.first_unhealthy = object_uid(*pod);
    return;
  }
}

// ---- Writes ----

void plan_delete(StatefulRollout& rollout, const Value& pod) {
  auto& write = rollout.plan.remove(kinds::kPods, pod);
  write.independent = !rollout.ordered;
  const auto sentence =
      cat("delete Pod ", object_name(pod), " in StatefulSet ", object_name(rollout.set));
  write.event =
      EventNote{rollout.about(), "Normal", "SuccessfulDelete", cat(sentence, " successful")};
  write.failure_event = EventNote{rollout.about(), "Warning", "FailedDelete",
                                  cat(sentence, " failed error: %error%")};
}

void plan_missing_claims(StatefulRollout& rollout, int64_t ordinal) {
  const std::string pod_name = cat(object_name(rollout.set), "-", ordinal);
  for (const auto& claim : claims_of(rollout.set, ordinal)) {
    if (rollout.snapshot
            .find(kinds::kPersistentvolumeclaims, object_namespace(claim), object_name(claim))
            .has_value()) {
      continue;
    }
    auto& write = rollout.plan.create(kinds::kPersistentvolumeclaims,
                                      with_owners(claim, rollout.set, Value(), true));
    write.on_error = OnError::kTolerateExists;
    const auto sentence = cat("create Claim ", object_name(claim), " Pod ", pod_name,
                              " in StatefulSet ", object_name(rollout.set));
    write.event =
        EventNote{rollout.about(), "Normal", "SuccessfulCreate", cat(sentence, " success")};
    write.failure_event = EventNote{rollout.about(), "Warning", "FailedCreate",
                                    cat("create Claim ", object_name(claim), " for Pod ", pod_name, " in StatefulSet ",
                                        object_name(rollout.set), " failed error: %error%")};
  }
}

// False when a claim of an earlier pod of the name is still on its way out.
bool claims_are_free(const StatefulRollout& rollout, int64_t ordinal) {
  const std::string pod_name = cat(object_name(rollout.set), "-", ordinal);
  return std::ranges::none_of(claims_of(rollout.set, ordinal), [&](const Value& wanted) {
    const Value& claim = rollout.snapshot.find(kinds::kPersistentvolumeclaims,
                                               object_namespace(wanted), object_name(wanted));
    return claim.has_value() && (is_deleting(claim) || is_stale_claim(claim, pod_name));
  });
}

bool needs_current_revision(const StatefulRollout& rollout, int64_t index) {
  const Value& strategy = rollout.set[keys::kSpec][keys::kUpdateStrategy];
  return strategy[keys::kType].as_string() == "RollingUpdate" &&
         index < strategy[keys::kRollingUpdate][keys::kPartition].as_int();
}

void plan_create(StatefulRollout& rollout, int64_t index) {
  const int64_t ordinal = first_ordinal(rollout.set) + index;
  const Value& revision =
      needs_current_revision(rollout, index) ? rollout.current : rollout.history.latest;
  auto& write = rollout.plan.create(
      kinds::kPods,
      stateful_pod(rollout.set, template_of_revision(revision), object_name(revision), ordinal));
  write.independent = !rollout.ordered;
  const auto sentence = cat("create Pod ", object_name(rollout.set), "-", ordinal,
                            " in StatefulSet ", object_name(rollout.set));
  write.event =
      EventNote{rollout.about(), "Normal", "SuccessfulCreate", cat(sentence, " successful")};
  write.failure_event = EventNote{rollout.about(), "Warning", "FailedCreate",
                                  cat(sentence, " failed error: %error%")};
}

void plan_retention(StatefulRollout& rollout, const Value& pod, bool pod_is_wanted) {
  const auto ordinal = ordinal_of(rollout.set, pod);
  if (!ordinal) return;
  for (const auto& wanted : claims_of(rollout.set, *ordinal)) {
    const Value& claim = rollout.snapshot.find(kinds::kPersistentvolumeclaims,
                                               object_namespace(wanted), object_name(wanted));
    if (!claim.has_value()) continue;
    const Value owned = with_owners(claim, rollout.set, pod, pod_is_wanted);
    if (owned == claim) continue;
    rollout.plan.update(kinds::kPersistentvolumeclaims, owned).on_error =
        OnError::kTolerateNotFound;
  }
}

// An adopted pod may lack the labels that say which one it is.
void plan_identity(StatefulRollout& rollout, const Value& pod, int64_t ordinal) {
  const Value& labels = pod[keys::kMetadata][keys::kLabels];
  const Value named = with_identity_labels(labels, object_name(pod), ordinal);
  if (named == labels) return;
  const Value patch = Value::map(
      {{keys::kMetadata,
        Value::map({{keys::kUid, pod[keys::kMetadata][keys::kUid]}, {keys::kLabels, named}})}});
  rollout.plan.patch(kinds::kPods, key_of(pod), PatchType::kMerge, patch).on_error =
      OnError::kTolerateNotFound;
}

// ---- Steps: each says whether those after it may follow ----

bool keep_replica(StatefulRollout& rollout, int64_t index, const Value& pod) {
  if (is_pod_ended(pod)) {
    if (!is_deleting(pod)) plan_delete(rollout, pod);
    return !rollout.ordered;
  }
  if (!rollout.healthy(pod) && rollout.ordered) return false;
  plan_identity(rollout, pod, first_ordinal(rollout.set) + index);
  return true;
}

// The indexes whose pods can be made now: in order only the first that is missing.
std::vector<int64_t> missing_indexes(const StatefulRollout& rollout) {
  std::vector<int64_t> missing;
  const int64_t begin = rollout.ordered ? rollout.first_to_wait_for() : 0;
  const int64_t end = rollout.ordered ? std::min(begin + 1, rollout.wanted()) : rollout.wanted();
  for (int64_t index = begin; index < end && missing.size() < kCreationsMax; ++index) {
    const bool is_missing = !rollout.replicas.contains(index);
    if (is_missing && claims_are_free(rollout, first_ordinal(rollout.set) + index)) missing.push_back(index);
  }
  return missing;
}

// Each pod after its own claims: a claim that is refused keeps no pod before it from being made.
void create_missing(StatefulRollout& rollout) {
  for (const auto index : missing_indexes(rollout)) {
    plan_missing_claims(rollout, first_ordinal(rollout.set) + index);
    plan_create(rollout, index);
  }
}

void keep_claims(StatefulRollout& rollout) {
  for (const auto& [index, pod] : rollout.replicas) {
    if (pod[keys::kStatus][keys::kPhase].as_string() == "Pending" && !is_deleting(pod)) {
      plan_missing_claims(rollout, first_ordinal(rollout.set) + index);
    }
    plan_retention(rollout, pod, true);
  }
  for (const auto& pod : rollout.condemned) plan_retention(rollout, pod, false);
}

bool keep_replicas(StatefulRollout& rollout) {
  create_missing(rollout);
  int64_t next = 0;
  for (const auto& [index, pod] : rollout.replicas) {
    if (rollout.ordered && index != next++) return false;  // the one before it is missing
    if (!keep_replica(rollout, index, pod)) return false;
  }
  return !rollout.ordered || next == rollout.wanted();
}

bool stop_condemned(StatefulRollout& rollout) {
  if (!rollout.ordered) {
    for (const auto& pod : rollout.condemned) {
      if (!is_deleting(pod)) plan_delete(rollout, pod);
    }
    return true;
  }
  if (rollout.condemned.empty()) return true;
  const Value& pod = rollout.condemned.front();
  if (is_deleting(pod)) return false;
  // A lower one that is not well comes first in the user's mind: this one waits for it.
  if (!rollout.available(pod) && object_uid(pod) != rollout.first_unhealthy) return false;
  plan_delete(rollout, pod);
  return false;
}

void roll_out(StatefulRollout& rollout) {
  const Value& strategy = rollout.set[keys::kSpec][keys::kUpdateStrategy];
  if (strategy[keys::kType].as_string() != "RollingUpdate") return;
  const Value& rolling = strategy[keys::kRollingUpdate];
  const int64_t partition = rolling[keys::kPartition].as_int();
  const Value& bound = rolling[keys::kMaxUnavailable];
  const int64_t most =
      bound.has_value() ? std::max<int64_t>(1, scaled(bound, rollout.wanted(), false)) : 1;
  int64_t unavailable = rollout.wanted() - static_cast<int64_t>(rollout.replicas.size());
  std::vector<Value> well;  // of an old revision, highest first
  for (auto at = rollout.replicas.rbegin(); at != rollout.replicas.rend(); ++at) {
    const auto& [index, pod] = *at;
    const bool healthy = rollout.healthy(pod);
    if (!healthy) ++unavailable;
    if (index < partition || rollout.is_latest(pod) || is_deleting(pod) || is_pod_ended(pod)) continue;
    if (healthy) {
      well.push_back(pod);
    } else {
      plan_delete(rollout, pod);  // it serves nobody: replacing it makes no more unavailable than there are
    }
  }
  const auto room = static_cast<size_t>(std::max<int64_t>(0, most - unavailable));
  for (size_t i = 0; i < std::min(room, well.size()); ++i) plan_delete(rollout, well[i]);
}

// ---- Status and history ----

Value new_status(const StatefulRollout& rollout, const std::vector<Value>& pods) {
  int64_t total = 0, ready = 0, available = 0, current = 0, updated = 0;
  for (const auto& pod : pods) {
    ++total;
    if (StatefulRollout::serves(pod)) ++ready;
    if (rollout.available(pod)) ++available;
    if (is_deleting(pod)) continue;
    if (revision_label_of(pod) == object_name(rollout.current)) ++current;
    if (rollout.is_latest(pod)) ++updated;
  }
  const int64_t wanted = rollout.wanted();
  const bool rolling =
      rollout.set[keys::kSpec][keys::kUpdateStrategy][keys::kType].as_string() == "RollingUpdate";
  const bool complete = rolling && total == wanted && ready == wanted && updated == wanted;
  if (complete) current = updated;
  const Value& current_revision = complete ? rollout.history.latest : rollout.current;
  const auto count = [](int64_t n) { return n == 0 ? Value() : Value(n); };
  MapBuilder status(rollout.set[keys::kStatus]);
  status.set(keys::kReplicas, total);
  status.set(keys::kReadyReplicas, count(ready));
  status.set(keys::kAvailableReplicas, available);
  status.set(keys::kCurrentReplicas, count(current));
  status.set(keys::kUpdatedReplicas, count(updated));
  status.set(keys::kCurrentRevision, object_name(current_revision));
  status.set(keys::kUpdateRevision, object_name(rollout.history.latest));
  status.set(keys::kCollisionCount, rollout.history.collision_count);
  status.set(keys::kObservedGeneration, rollout.set[keys::kMetadata][keys::kGeneration]);
  return std::move(status).build();
}

void plan_clean_up(StatefulRollout& rollout, const std::vector<Value>& pods) {
  std::set<std::string, std::less<>> live{std::string(object_name(rollout.current))};
  for (const auto& pod : pods) live.emplace(revision_label_of(pod));
  const auto is_live = [&](const Value& r) { return live.contains(object_name(r)); };
  const auto idle =
      std::ranges::count_if(rollout.history.others, [&](const Value& r) { return !is_live(r); });
  const int64_t limit = rollout.set[keys::kSpec][keys::kRevisionHistoryLimit].as_int(10);
  plan_history_limit(rollout.plan, rollout.history, idle - limit, is_live);
}

// A ready pod becomes available by time alone.
void look_again_when_available(StatefulRollout& rollout, const std::vector<Value>& pods) {
  for (const auto& pod : pods) {
    if (!StatefulRollout::serves(pod) || rollout.available(pod)) continue;
    const auto since = time_of(condition(pod, "Ready")[keys::kLastTransitionTime]);
    if (!since) continue;
    rollout.plan.look_again_after(*since + seconds(rollout.min_ready) - rollout.now +
                                  milliseconds(1));
  }
}

// A claim that goes may be what a pod waits for.
void sets_of_claim(const Snapshot& snapshot, const Value& before, const Value& after,
                   std::vector<ObjectKey>& keys) {
  if (after.has_value()) return;
  for (const auto& set : snapshot.list(kinds::kStatefulsets, object_namespace(before))) {
    if (is_claim_name_of(set, object_name(before))) keys.push_back(key_of(set));
  }
}

}  // namespace

Plan reconcile_stateful_set(const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& set = snapshot.find(kinds::kStatefulsets, key.namespace_, key.name);
  if (!set.has_value()) return Plan::done();
  const auto selector = LabelSelector::from_object(set[keys::kSpec][keys::kSelector]);
  if (!selector) return Plan::done();  // validation keeps such a set out
  const Claimant claimant{set, kStatefulSetVersion, kStatefulSetKind, *selector};
  Plan plan;
  RevisionHistory history = plan_history(plan, snapshot, claimant, kHashLabel);
  Value current = history.find(set[keys::kStatus][keys::kCurrentRevision].as_string());
  if (!current.has_value()) current = history.latest;
  auto pods = snapshot.owned_by(kinds::kPods, object_uid(set));
  if (is_deleting(set)) {
    plan = Plan::done();  // it only counts those that are left
  } else {
    plan_claims(
        plan, snapshot, kinds::kPods, claimant,
        [&](const Value& pod) { return !is_deleting(pod) && ordinal_of(set, pod).has_value(); },
        pods);
  }
  StatefulRollout rollout{.set = set,
                          .snapshot = snapshot,
                          .now = env.now,
                          .plan = std::move(plan),
                          .history = std::move(history),
                          .current = std::move(current),
                          .ordered = set[keys::kSpec][keys::kPodManagementPolicy].as_string() != "Parallel",
                          .min_ready = set[keys::kSpec][keys::kMinReadySeconds].as_int()};
  sort_pods(rollout, pods);
  const Value status = new_status(rollout, pods);
  if (!(status == set[keys::kStatus])) {
    rollout.plan.update_status(kinds::kStatefulsets, set.with(keys::kStatus, status)).on_error =
        OnError::kTolerateNotFound;
  }
  if (is_deleting(set)) return std::move(rollout.plan);
  keep_claims(rollout);
  if (keep_replicas(rollout) && stop_condemned(rollout)) roll_out(rollout);
  plan_clean_up(rollout, pods);
  look_again_when_available(rollout, pods);
  return std::move(rollout.plan);
}

ControllerSpec stateful_set_controller() {
  ControllerSpec spec;
  spec.name = "statefulset-controller";
  spec.kind = kinds::kStatefulsets;
  const auto claims = claimant_keys(kinds::kStatefulsets, std::string(kStatefulSetKind));
  const std::pair orphans{std::string(kOrphans), orphans_by_namespace()};
  spec.watches = {{kinds::kStatefulsets, own_key(), {}},
                  {kinds::kPods, claims, {orphans}},
                  {kinds::kControllerrevisions, claims, {orphans}},
                  {kinds::kPersistentvolumeclaims, sets_of_claim, {}}};
  spec.decide = reconcile_stateful_set;
  return spec;
}

}  // namespace minik::control
