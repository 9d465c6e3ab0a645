// Ephemeral volumes: for each volume of a pod with a claim template, the claim <pod>-<volume>, owned
// by the pod and so deleted with it. A claim of that name that belongs to somebody else is left alone,
// and the pod waits with an event that says so.
//
// One decision over pods; the garbage collector deletes, the binder binds.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

ControllerSpec ephemeral_volume_controller();

}  // namespace minik::control
