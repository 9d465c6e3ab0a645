// HorizontalPodAutoscaler: every 15 s from its creation on, as many replicas as the measured usage asks for.
//
//   scale of the target -> PodMetrics of its pods -> propose() per metric, the largest wins
//                       -> limit_wish() -> scale, status, events
//
// Metrics cannot be watched, so this is a loop of its own and no ControllerSpec; the arithmetic is in
// autoscaling_metrics.h and autoscaling_limits.h. One round of an autoscaler runs at a time. What it
// remembers (wishes of the last minutes) is lost with a restart, as in Kubernetes: it then waits for
// nothing longer than a window. Control thread only; does nothing while there is no autoscaler.
#pragma once

#include <memory>

#include "control/client/controller.h"
#include "control/schema/schema.h"

namespace minik::control {

struct HorizontalPodAutoscalerOptions {
  Duration sync_period = seconds(15);
};

class HorizontalPodAutoscaler {
 public:
  HorizontalPodAutoscaler(const Schema& schema, Executor& executor, Client& client, InformerSet& informers,
                          EventRecorder& events, MetricRegistry& metrics, HorizontalPodAutoscalerOptions options = {});
  ~HorizontalPodAutoscaler();
  HorizontalPodAutoscaler(const HorizontalPodAutoscaler&) = delete;
  HorizontalPodAutoscaler& operator=(const HorizontalPodAutoscaler&) = delete;

  void start();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minik::control
