// The StatefulSet controller: pods that keep their names, started upwards and stopped downwards.
//
//   ordinals  start … start + replicas - 1            others
//             |- missing: created, with its claims     |- deleted, the highest first
//             |- ended: deleted, to be created again
//             '- of the old revision: deleted, the highest first, down to the partition and at
//                most maxUnavailable at a time
//
// OrderedReady takes one step at a time and waits at the first pod that is not available (or on its
// way out); nothing after it happens before. Parallel creates and deletes without waiting; a
// roll-out keeps maxUnavailable also then, but replaces first what serves nobody anyway. Pods below
// the partition are made from the revision that was current before the roll-out.
//
// A pod is deleted by its uid and created under its own name, so a decision from an old snapshot
// can neither delete a successor nor make a twin. Pure decisions on a snapshot.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

Plan reconcile_stateful_set(const Snapshot& snapshot, const ObjectKey& key, Env& env);
ControllerSpec stateful_set_controller();

}  // namespace minik::control
