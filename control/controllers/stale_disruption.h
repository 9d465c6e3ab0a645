// Takes back what a pod was told too early: the condition DisruptionTarget says that the pod is about to be deleted,
// and whoever wrote it may have been stopped before the deletion. After two minutes without one the condition is
// False.
//
// What a node's agent says of its own eviction stays (its pods may take long to end), as does what an ended pod says.
// In Kubernetes a part of the disruption controller. A pure decision on a snapshot.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

ControllerSpec stale_disruption_controller();

}  // namespace minik::control
