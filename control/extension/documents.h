// Documents of custom resources as their schema wants them: pruned, defaulted, validated.
//
// Kubernetes' rules: pruning drops what no schema speaks of, unless it is told to keep; defaults are
// filled in where a field is absent, or null without being nullable; validation speaks in the words of
// kube-apiserver. metadata, apiVersion and kind at the root and of embedded resources are not the
// schema's and always stay.
//
// Pure functions; subtrees without a change are the nodes that came in.
#pragma once

#include <string>
#include <vector>

#include "control/extension/structural_schema.h"
#include "control/schema/field_error.h"

namespace minik::control {

// Paths of what was dropped ("spec.foo", "spec.list[0].bar") are appended to `dropped`.
Value pruned(const SchemaNode& root, const Value& document, std::vector<std::string>& dropped);

Value defaulted(const SchemaNode& node, const Value& value);

// Of the root or, with a path, of a part. What `old` (absent: nothing) has in the same place and what is
// unchanged there is forgiven: an object that became invalid under a newer schema may be changed elsewhere.
void check_document(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at,
                    FieldErrors& errors);

}  // namespace minik::control
