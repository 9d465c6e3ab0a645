// Validation: whether a decoded and completed object makes sense, in Kubernetes 1.35's words.
//
//   the schema walks: required, enum, min, max of every field
//   + a rule of a type where a schema cannot say it (validation_rules.h)
//   + a rule of a kind for its name, and for what may change
//
// Status is not validated: only components write it. `known` is an earlier valid version of the
// object: subtrees that are the same node there are not looked at again. What is not checked:
// volume sources of clouds beyond their required fields, CRD schemas' structural rules, CEL
// expressions in specs.
//
// Pure functions of their objects; no look at other objects (a Service's node port being free, a
// namespace being there are the registry's and admission's questions).
#pragma once

#include <cstddef>
#include <string_view>

#include "control/object/value.h"
#include "control/schema/field_error.h"
#include "control/schema/schema.h"

namespace minik::control {

// Of names and values together, in one object.
constexpr size_t kAnnotationsBytesMax = 256 * 1024;

FieldErrors check_object(const ResourceInfo& resource, const Value& object,
                         const Value& known = Value::absent());
// What may not differ between two versions, besides check_object of the new one.
FieldErrors check_change(const ResourceInfo& resource, const Value& object, const Value& old);

// Part of an object, a pod template say; `at` is its place in the messages.
void check_part(const TypeInfo& type, const Value& part, const Value& known, const FieldPath& at,
                FieldErrors& errors);

}  // namespace minik::control
