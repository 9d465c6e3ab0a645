#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/deployment_rollout.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

Value make_condition(std::string_view type, std::string_view status, std::string_view reason,
                     std::string message, WallTime now) {
  return Value::map({{keys::kType, type},
                     {keys::kStatus, status},
                     {keys::kReason, reason},
                     {keys::kMessage, message},
                     {keys::kLastUpdateTime, format_time(now)}});
}

bool has_progressed(const Value& status, const Value& old) {
  const auto now = [&](const Key& key) { return status[key].as_int(); };
  const auto before = [&](const Key& key) { return old[key].as_int(); };
  return now(keys::kUpdatedReplicas) > before(keys::kUpdatedReplicas) ||
         now(keys::kReadyReplicas) > before(keys::kReadyReplicas) ||
         now(keys::kAvailableReplicas) > before(keys::kAvailableReplicas) ||
         now(keys::kReplicas) - now(keys::kUpdatedReplicas) <
             before(keys::kReplicas) - before(keys::kUpdatedReplicas);
}

// What the condition Progressing is to be, for a Deployment with a deadline. A rollout that has come to its end is over:
// pods that fail later, or more of them, are no rollout.
Value progressing_condition(DeploymentRollout& rollout, const Value& object, const Value& old_status,
                            bool created) {
  const Value& status = object[keys::kStatus];
  const Value& current = condition(rollout.deployment, "Progressing");
  const int64_t deadline =
      rollout.deployment[keys::kSpec][keys::kProgressDeadlineSeconds].as_int(600);
  const auto set_name = quoted(object_name(rollout.new_set));
  const auto subject = rollout.new_set.has_value()
                           ? cat("ReplicaSet ", set_name)
                           : cat("Deployment ", quoted(object_name(rollout.deployment)));
  const auto make = [&](std::string_view state, std::string_view reason, std::string message) {
    return make_condition("Progressing", state, reason, std::move(message), rollout.now);
  };
  const auto reason = current[keys::kReason].as_string();
  if (rollout.paused()) {
    // That it made no progress is not forgotten for a pause.
    if (reason == "ProgressDeadlineExceeded") return current;
    return make("Unknown", "DeploymentPaused", "Deployment is paused");
  }
  if (reason == "DeploymentPaused") {
    return make("Unknown", "DeploymentResumed", "Deployment is resumed");
  }
  if (reason == "NewReplicaSetAvailable" && !created &&
      status[keys::kReplicas].as_int() == status[keys::kUpdatedReplicas].as_int()) {
    return current;
  }
  if (is_rollout_complete(rollout, status)) {
    return make("True", "NewReplicaSetAvailable", cat(subject, " has successfully progressed."));
  }
  if (created)
    return make("True", "NewReplicaSetCreated", cat("Created new replica set ", quoted(rollout.created_name)));
  if (!current.has_value() && rollout.new_set.has_value()) {
    return make("True", "FoundNewReplicaSet", cat("Found new replica set ", set_name));
  }
  if (has_progressed(status, old_status) || !current.has_value()) {
    return make("True", "ReplicaSetUpdated", cat(subject, " is progressing."));
  }
  if (reason == "ProgressDeadlineExceeded" || reason == "NewReplicaSetAvailable") return current;
  const auto since = time_of(current[keys::kLastUpdateTime]);
  const Duration left = since ? *since + seconds(deadline) - rollout.now : Duration{};
  if (left <= Duration{}) {
    return make("False", "ProgressDeadlineExceeded", cat(subject, " has timed out progressing."));
  }
  rollout.plan.look_again_after(left + seconds(1));
  return current;
}

// The condition as one whose lastUpdateTime the next change sets.
Value without_update_time(const Value& object, std::string_view type) {
  std::vector<Value> conditions;
  for (const auto& old : object[keys::kStatus][keys::kConditions].items()) {
    conditions.push_back(old[keys::kType].as_string() == type ? old.without(keys::kLastUpdateTime) : old);
  }
  return object.with_at({keys::kStatus, keys::kConditions}, Value::array(std::move(conditions)));
}

// That a set cannot make its pods (a quota, an admission) is said of the Deployment as well, as long as it is so.
Value with_replica_failure(const DeploymentRollout& rollout, const Value& object) {
  constexpr std::string_view kType = "ReplicaFailure";
  std::vector<Value> sets = {rollout.new_set};
  sets.insert(sets.end(), rollout.old_sets.begin(), rollout.old_sets.end());
  for (const auto& set : sets) {
    const Value& failure = condition(set, kType);
    if (!failure.has_value()) continue;
    return with_condition(object,
                          make_condition(kType, failure[keys::kStatus].as_string(), failure[keys::kReason].as_string(),
                                         failure[keys::kMessage].string(), rollout.now),
                          rollout.now);
  }
  return without_condition(object, kType);
}

// Sets the condition Progressing of `next`, and sees to it that somebody looks again when the deadline is over.
void plan_progress(DeploymentRollout& rollout, Value& next, bool created) {
  if (!rollout.has_deadline()) {
    next = without_condition(next, "Progressing");
    return;
  }
  const Value& old_status = rollout.deployment[keys::kStatus];
  const Value progressing = progressing_condition(rollout, next, old_status, created);
  const auto reason = progressing[keys::kReason].as_string();
  // Each step forward renews lastUpdateTime, from which the deadline counts, though it says the same as before.
  if (reason == "ReplicaSetUpdated" && has_progressed(next[keys::kStatus], old_status)) {
    next = without_update_time(next, "Progressing");
  }
  next = with_condition(next, progressing, rollout.now);
  if (rollout.paused() || reason == "NewReplicaSetAvailable" || reason == "ProgressDeadlineExceeded") return;
  const auto since = time_of(condition(next, "Progressing")[keys::kLastUpdateTime]);
  const int64_t deadline = rollout.deployment[keys::kSpec][keys::kProgressDeadlineSeconds].as_int(600);
  if (since) rollout.plan.look_again_after(*since + seconds(deadline + 1) - rollout.now);
}

}  // namespace

std::function<ApiRequest(const Error&)> failed_creation(const DeploymentRollout& rollout, const std::string& set_name) {
  if (!rollout.has_deadline()) return nullptr;
  return [deployment = rollout.deployment, set_name, now = rollout.now](const Error& error) {
    constexpr std::string_view kReason = "ReplicaSetCreateError";
    const Value& old = condition(deployment, "Progressing");
    const bool was_false = old[keys::kStatus].as_string() == "False";
    Value next = make_condition("Progressing", "False", kReason,
                                cat("Failed to create new replica set ", quoted(set_name), ": ", error.message), now);
    next = next.with(keys::kLastTransitionTime, was_false ? old[keys::kLastTransitionTime] : Value(format_time(now)));
    if (was_false && old[keys::kReason].as_string() == kReason) next = old;
    Plan plan;
    return plan
        .patch(kinds::kDeployments, key_of(deployment), PatchType::kStrategicMerge,
               Value::map({{keys::kStatus, Value::map({{keys::kConditions, Value::array({next})}})}}), "status")
        .request;
  };
}

bool is_rollout_complete(const DeploymentRollout& rollout, const Value& status) {
  return status[keys::kUpdatedReplicas].as_int() == rollout.wanted() &&
         status[keys::kReplicas].as_int() == rollout.wanted() &&
         status[keys::kAvailableReplicas].as_int() == rollout.wanted();
}

void plan_deployment_status(DeploymentRollout& rollout, bool created) {
  const Value& deployment = rollout.deployment;
  const Value& old_status = deployment[keys::kStatus];
  MapBuilder status(old_status);
  const auto put = [&](const Key& key, int64_t n) { status.set(key, n == 0 ? Value() : Value(n)); };
  const int64_t available = rollout.total(keys::kAvailableReplicas);
  put(keys::kReplicas, rollout.total(keys::kReplicas));
  put(keys::kUpdatedReplicas,
      rollout.new_set.has_value() ? status_count(rollout.new_set, keys::kReplicas) : 0);
  put(keys::kReadyReplicas, rollout.total(keys::kReadyReplicas));
  put(keys::kAvailableReplicas, available);
  put(keys::kTerminatingReplicas, rollout.total(keys::kTerminatingReplicas));
  put(keys::kUnavailableReplicas, std::max<int64_t>(0, rollout.total_wanted() - available));
  status.set(keys::kObservedGeneration, deployment[keys::kMetadata][keys::kGeneration]);
  Value next = deployment.with(keys::kStatus, std::move(status).build());
  const bool enough = available >= rollout.wanted() - rollout.bounds.unavailable;
  next = with_condition(
      next,
      enough ? make_condition("Available", "True", "MinimumReplicasAvailable",
                              "Deployment has minimum availability.", rollout.now)
             : make_condition("Available", "False", "MinimumReplicasUnavailable",
                              "Deployment does not have minimum availability.", rollout.now),
      rollout.now);
  next = with_replica_failure(rollout, next);
  plan_progress(rollout, next, created);
  if (!(next == deployment)) rollout.plan.update_status(kinds::kDeployments, next);
}

}  // namespace minik::control
