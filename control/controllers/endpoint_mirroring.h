// EndpointSlice mirroring: the Endpoints that somebody writes for a Service without a selector, as
// EndpointSlices, which is what this cluster's network reads.
//
// One slice for each set of ports and address family, named after them, so that a decision repeated
// on a stale snapshot makes nothing twice. Endpoints with the label
// endpointslice.kubernetes.io/skip-mirror, or that hold an old leader election, have none; of more
// than a thousand addresses the first are taken. A pure decision on a snapshot.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

ControllerSpec endpoint_mirroring_controller();

}  // namespace minik::control
