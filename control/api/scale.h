// The scale of an object: autoscaling/v1's Scale over spec.replicas and status.replicas, or, of a custom resource, over
// the places that its definition names. Pure functions on the stored object.
#pragma once

#include "control/base/result.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

// The error is InternalError where a custom resource says no replicas: kube-apiserver's answer.
Result<Value> scale_of(const ResourceInfo& resource, const Value& object);
Value with_replicas(const ResourceInfo& resource, const Value& object, int64_t replicas);

}  // namespace minik::control
