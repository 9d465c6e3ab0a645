// endpoint_slice_controller_*: what Kubernetes' own controller tells of its EndpointSlices. How many there are and should
// be is counted when somebody asks, from the caches; what each sync did, by its plan.
//
// Lives beside the controller on the control thread; the registry and the informers outlive it.
#pragma once

#include "control/base/metrics.h"
#include "control/client/controller.h"
#include "control/client/informer.h"

namespace minik::control {

class EndpointSliceMetrics {
 public:
  EndpointSliceMetrics(MetricRegistry& registry, InformerSet& informers);

  // The controller with its syncs counted.
  ControllerSpec counted(ControllerSpec spec);

 private:
  void observe(const Snapshot& snapshot, const ObjectKey& key, Plan& plan);
  void count_slices();

  MetricRegistry& registry_;
  InformerSet& informers_;
  Histogram &added_, &removed_;
  Gauge &endpoints_desired_, &slices_, &slices_desired_;
  MetricRegistry::Collector collector_;
};

}  // namespace minik::control
