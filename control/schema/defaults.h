// Defaulting: what Kubernetes 1.35 fills in before anyone else sees an object.
//
// Most defaults are data (`default:` in the schema files) and are applied from the outside inwards;
// a default that depends on other fields is a function of one type (complete_rule), applied after
// its fields. The result is what `kubectl get -o yaml` shows of an object that nobody has touched
// since, except for what admission and the registries add (tolerations, token volumes, cluster
// IPs).
//
// Idempotent. A subtree that is complete is returned as the same node; `known` is an earlier
// completed version of the document, whose shared subtrees are taken as they are. Needs a decoded
// document.
#pragma once

#include <string_view>

#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

Value apply_defaults(const TypeInfo& type, const Value& object,
                     const Value& known = Value::absent());

// The function that completes objects of a built-in type, or null. For Schema's constructor.
CompleteRule complete_rule(std::string_view package, std::string_view type);

}  // namespace minik::control
