#include "control/controllers/admission_policy_status.h"

#include "control/admission/type_check.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

ControllerSpec admission_policy_status_controller(const Schema& schema) {
  ControllerSpec spec;
  spec.name = "validatingadmissionpolicy-status-controller";
  spec.kind = kinds::kValidatingadmissionpolicies;
  spec.watches = {{kinds::kValidatingadmissionpolicies, own_key(), {}}};
  spec.decide = [&schema](const Snapshot& snapshot, const ObjectKey& key, Env&) {
    Plan plan;
    const Value& policy = snapshot.find(kinds::kValidatingadmissionpolicies, "", key.name);
    const Value& generation = policy[keys::kMetadata][keys::kGeneration];
    const Value& status = policy[keys::kStatus];
    if (!policy.has_value() || status[keys::kObservedGeneration] == generation) return plan;
    const Value checked = status.with(keys::kObservedGeneration, generation).with("typeChecking", type_checking(schema, policy));
    plan.update_status(kinds::kValidatingadmissionpolicies, policy.with(keys::kStatus, checked));
    return plan;
  };
  return spec;
}

}  // namespace minik::control
