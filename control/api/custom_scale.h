// The scale of a custom resource: autoscaling/v1's Scale over the places that its definition names.
#pragma once

#include "control/base/result.h"
#include "control/object/value.h"
#include "control/schema/custom_kind.h"

namespace minik::control {

// The error is InternalError where the object says no replicas: kube-apiserver's answer.
Result<Value> custom_scale(const CustomKind& kind, const Value& object);
Value with_custom_replicas(const CustomKind& kind, const Value& object, int64_t replicas);

}  // namespace minik::control
