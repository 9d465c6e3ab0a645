// What the containers of a pod need at once of one resource, `which` being requests or limits: all that run together, or
// the step of the start that needs most, with the sidecars that run by then.
//
// Whatever the pod says as a whole does not count here. Pure; an amount that is not one counts as zero.
#pragma once

#include <optional>

#include "control/object/quantity.h"
#include "control/object/value.h"

namespace minik::control {

// Nothing where no container names the resource.
std::optional<Quantity> container_aggregate(const Value& pod_spec, const Key& which, const Key& resource);

}  // namespace minik::control
