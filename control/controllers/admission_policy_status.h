// The status of ValidatingAdmissionPolicies: what a type check of the current generation finds (type_check.h).
// A pure decision on a snapshot and the schema; it is taken once for each generation of a policy.
#pragma once

#include "control/client/controller.h"
#include "control/schema/schema.h"

namespace minik::control {

ControllerSpec admission_policy_status_controller(const Schema& schema);

}  // namespace minik::control
