#include "control/controllers/stale_disruption.h"

#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kDisruptionTarget = "DisruptionTarget";
constexpr Duration kStaleAfter = minutes(2);

bool awaits_its_end(const Value& pod) {
  return pod.has_value() && !is_deleting(pod) && !is_pod_ended(pod) && is_condition_true(pod, kDisruptionTarget) &&
         condition(pod, kDisruptionTarget)[keys::kReason].as_string() != "TerminationByKubelet";
}

Plan reconcile_disruption(const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  const Value& pod = snapshot.find(kinds::kPods, key.namespace_, key.name);
  Plan plan;
  if (!awaits_its_end(pod)) return plan;
  const Value& target = condition(pod, kDisruptionTarget);
  const WallTime stale = time_of(target[keys::kLastTransitionTime]).value_or(WallTime{}) + kStaleAfter;
  if (env.now < stale) {
    plan.look_again_after(stale - env.now);
  } else {
    // As Kubernetes does it: why it was to be deleted is taken back, too.
    const Value nothing = Value::map({{keys::kType, kDisruptionTarget}, {keys::kStatus, "False"}});
    const Value taken_back = with_condition(pod, nothing, env.now);
    plan.update_status(kinds::kPods, taken_back).on_error = OnError::kTolerateNotFound;
  }
  return plan;
}

}  // namespace

ControllerSpec stale_disruption_controller() {
  ControllerSpec spec;
  spec.name = "stale-pod-disruption-controller";
  spec.kind = kinds::kPods;
  spec.watches = {{kinds::kPods,
                   [](const Snapshot&, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
                     if (awaits_its_end(after) && !awaits_its_end(before)) keys.push_back(key_of(after));
                   },
                   {}}};
  spec.decide = reconcile_disruption;
  return spec;
}

}  // namespace minik::control
