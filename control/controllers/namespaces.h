// The Namespace controller: a namespace that is being deleted loses its pods, when the last is gone the rest of its
// content, kind by kind, and then its `kubernetes` finalizer, with which it goes.
#pragma once

#include "control/client/controller.h"
#include "control/schema/schema.h"

namespace minik::control {

Plan reconcile_namespace(const Schema& schema, const Snapshot& snapshot, const ObjectKey& key, Env& env);
ControllerSpec namespace_controller(const Schema& schema);

}  // namespace minik::control
