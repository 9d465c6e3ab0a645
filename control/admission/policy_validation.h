// Validation of policies and their bindings: rules, parameters, expressions that do not compile, and the like.
// Complaints are at kube-apiserver's paths and in its words. Pure.
#pragma once

#include "control/object/value.h"
#include "control/schema/field_error.h"

namespace minik::control {

void check_validating_policy(const Value& policy, FieldErrors& errors);
void check_validating_binding(const Value& binding, FieldErrors& errors);
void check_mutating_policy(const Value& policy, FieldErrors& errors);
void check_mutating_binding(const Value& binding, FieldErrors& errors);

}  // namespace minik::control
