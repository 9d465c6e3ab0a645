// The Endpoints controllers: which addresses stand behind a Service, as EndpointSlices and, for older
// clients, as Endpoints. Both are computed from one reading of the Service's pods.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

Plan reconcile_endpoint_slices(const Snapshot& snapshot, const ObjectKey& key, Env& env);
Plan reconcile_endpoints(const Snapshot& snapshot, const ObjectKey& key, Env& env);
// Whether these controllers keep endpoints for it: it selects pods.
bool has_endpoints(const Value& service);
// Endpoints of one EndpointSlice at the most.
inline constexpr size_t kSliceMax = 100;
ControllerSpec endpoint_slice_controller();
ControllerSpec endpoints_controller();

}  // namespace minik::control
