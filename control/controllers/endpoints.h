// The Endpoints controllers: which addresses stand behind a Service, as EndpointSlices and, for older
// clients, as Endpoints. Both are computed from one reading of the Service's pods.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

Plan reconcile_endpoint_slices(const Snapshot& snapshot, const ObjectKey& key, Env& env);
Plan reconcile_endpoints(const Snapshot& snapshot, const ObjectKey& key, Env& env);
// Whether these controllers keep endpoints for it: it selects pods.
bool has_endpoints(const Value& service);
// How many endpoints a Service has by its pods, and how many slices they fill.
struct SliceDemand {
  int64_t endpoints = 0, slices = 0;
};
SliceDemand slice_demand(const Snapshot& snapshot, const Value& service);
ControllerSpec endpoint_slice_controller();
ControllerSpec endpoints_controller();

}  // namespace minik::control
