// The part of the admission plugin ServiceAccount that keeps pods of an account to the Secrets that it lists, where the
// annotation kubernetes.io/enforce-mountable-secrets demands so: in volumes, in environments, and for pulling images.
// In Kubernetes' words. Pure.
#pragma once

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

Status check_mountable_secrets(const Value& pod, const Value& account);

}  // namespace minik::control
