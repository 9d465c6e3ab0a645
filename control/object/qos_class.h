// A pod's quality of service, from what its containers ask for and may use: "Guaranteed", "Burstable" or "BestEffort".
// Decides who is killed first when memory runs out. Never changes in a pod's life. Pure.
#pragma once

#include <string_view>

#include "control/object/value.h"

namespace minik::control {

std::string_view qos_class(const Value& pod_spec);

}  // namespace minik::control
