// The admission plugin RuntimeClass: a pod that names a class gets its overhead, its node selector and its
// tolerations, and may not say another overhead. Pure.
#pragma once

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

// `runtime_class` is absent when there is none of the name that the spec has. The error is the reason alone.
Result<Value> with_runtime_class(const Value& pod_spec, const Value& runtime_class);

}  // namespace minik::control
