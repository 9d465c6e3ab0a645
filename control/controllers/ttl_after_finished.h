// Deletes Jobs spec.ttlSecondsAfterFinished after they have finished, in the foreground, so that a
// Job goes after its pods. The deletion names the very version that was read: a Job that changed
// meanwhile, its time to live say, is looked at again. Jobs without that field are kept. Pure
// decisions on a snapshot.
//
// Follows the TTL controller for finished resources of Kubernetes 1.35.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

Plan reconcile_time_to_live(const Snapshot& snapshot, const ObjectKey& key, Env& env);
ControllerSpec ttl_after_finished_controller();

}  // namespace minik::control
