// endpoint_slice_controller_*: what Kubernetes' own controller tells of its EndpointSlices: what each sync did, by its
// plan, and how many slices there are and should be, kept up Service by Service with each sync.
//
// Lives beside the controller on the control thread; the registry outlives it.
#pragma once

#include <map>
#include <string>

#include "control/base/metrics.h"
#include "control/client/controller.h"

namespace minik::control {

class EndpointSliceMetrics {
 public:
  explicit EndpointSliceMetrics(MetricRegistry& registry);

  // The controller with its syncs counted.
  ControllerSpec counted(ControllerSpec spec);

 private:
  void observe(const Snapshot& snapshot, const ObjectKey& key, Plan& plan);
  // Of one Service, as its slices are when its plan has been carried out; all 0 for one that has none.
  struct Counted {
    int64_t endpoints = 0, slices = 0, wanted = 0;
    std::string traffic_distribution;
  };
  static Counted count(const Snapshot& snapshot, const Value& service, const Plan& plan);
  void replace(const ObjectKey& key, Counted now);
  Gauge& gauge_of(const std::string& preference);

  MetricRegistry& registry_;
  Histogram &added_, &removed_;
  Gauge &endpoints_desired_, &slices_, &slices_desired_;
  std::map<ObjectKey, Counted> services_;
  Counted total_;
  std::map<std::string, int64_t> by_preference_ = {{"PreferClose", 0}, {"PreferSameNode", 0}, {"PreferSameZone", 0}};
};

}  // namespace minik::control
