// Validation of CustomResourceDefinitions beyond what their own schema says: names, versions, schemas,
// columns, subresources, conversion, and what may not change. Complaints are in kube-apiserver's words.
// Pure.
#pragma once

#include "control/object/value.h"
#include "control/schema/field_error.h"

namespace minik::control {

// `old` is absent for a new one.
void check_definition(const Value& definition, const Value& old, FieldErrors& errors);

// What kube-apiserver fills in from other fields: singular and listKind.
Value completed_definition(const Value& definition);
// The storage version is remembered in status.storedVersions, where objects may be in it from now on.
Value with_stored_version(const Value& definition);

}  // namespace minik::control
