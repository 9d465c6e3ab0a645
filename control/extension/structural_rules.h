// Whether an OpenAPI v3 schema is structural, and means what it says: every field has a type outside of
// combinations, nothing that Kubernetes leaves out is used, lists of kind map have their keys, defaults
// keep to their own schema, and rules compile.
//
// Reads a decoded JSONSchemaProps; complaints are in kube-apiserver's words. Pure.
#pragma once

#include "control/object/value.h"
#include "control/schema/field_error.h"

namespace minik::control {

void check_schema(const Value& schema, const FieldPath& at, FieldErrors& errors);

// The schema of the field that a path of names leads to; absent where there is none.
const Value& schema_at(const Value& schema, const std::vector<std::string>& fields);

}  // namespace minik::control
