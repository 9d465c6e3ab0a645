// Taint eviction: pods leave a node whose NoExecute taints they do not tolerate, at once or after their
// tolerationSeconds. Decided pod by pod; the clock starts at the taint's timeAdded.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

Plan reconcile_taint_eviction(const Snapshot& snapshot, const ObjectKey& key, Env& env);
ControllerSpec taint_eviction_controller();

}  // namespace minik::control
