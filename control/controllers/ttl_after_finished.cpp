#include "control/controllers/ttl_after_finished.h"

#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

std::optional<WallTime> finished_at(const Value& job) {
  for (const auto* type : {"Complete", "Failed"}) {
    if (is_condition_true(job, type))
      return time_of(condition(job, type)[keys::kLastTransitionTime]);
  }
  return std::nullopt;
}

}  // namespace

Plan reconcile_time_to_live(const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& job = snapshot.find(kinds::kJobs, key.namespace_, key.name);
  const Value& time_to_live = job[keys::kSpec][keys::kTtlSecondsAfterFinished];
  if (!time_to_live.has_value() || is_deleting(job)) return Plan::done();
  const auto finished = finished_at(job);
  if (!finished) return Plan::done();
  Plan plan;
  const WallTime end = *finished + seconds(time_to_live.as_int());
  if (end > env.now) {
    plan.look_again_after(end - env.now);
  } else {
    auto& write = plan.remove(kinds::kJobs, job, PropagationPolicy::kForeground);
    write.request.options.preconditions.resource_version =
        job[keys::kMetadata][keys::kResourceVersion].as_string();
    write.counts.push_back({.name = "ttl_after_finished_controller_job_deletion_duration_seconds",
                            .help = "Time from the moment when a Job should go to its deletion.",
                            .duration = env.now - end});
  }
  return plan;
}

ControllerSpec ttl_after_finished_controller() {
  ControllerSpec spec;
  spec.name = "ttl-after-finished-controller";
  spec.kind = kinds::kJobs;
  spec.watches = {{kinds::kJobs, own_key(), {}}};
  spec.decide = reconcile_time_to_live;
  return spec;
}

}  // namespace minik::control
