// Whether a pod names Secrets or ConfigMaps of its namespace anywhere: in volumes, the environment of any of its
// containers, or for pulling images. Pods that an agent made by itself may not.
#pragma once

#include "control/object/value.h"

namespace minik::control {

bool names_secrets(const Value& pod_spec);
bool names_config_maps(const Value& pod_spec);

// A copy in the API of a pod that an agent runs from a file.
bool is_mirror_pod(const Value& pod);

}  // namespace minik::control
