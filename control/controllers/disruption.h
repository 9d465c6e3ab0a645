// The disruption controller: keeps the status of every PodDisruptionBudget, which says how many of
// its pods may be taken away on purpose now. What kube-controller-manager calls
// DisruptionController.
//
// The eviction subresource spends the budget: it lowers status.disruptionsAllowed and notes the pod
// in status.disruptedPods in the same write. A noted pod counts as not healthy until it is being
// deleted or two minutes have passed, so a slow deletion is never counted twice in the budget's
// favour.
//
// Percentages and maxUnavailable count against what the pods' owners want (Deployment, ReplicaSet,
// StatefulSet, ReplicationController; owners of other kinds are asked for their scale). Pods without
// an owner add nothing to it and are named in a Warning event, as in Kubernetes.
// Pure decisions on a snapshot, and on the scales that the server has told.
#pragma once

#include "control/client/controller.h"
#include "control/schema/schema.h"

namespace minik::control {

ControllerSpec disruption_controller(const Schema& schema);

}  // namespace minik::control
