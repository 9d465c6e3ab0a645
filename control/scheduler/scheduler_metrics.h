// The scheduler's metrics under kube-scheduler's names. Series of results and attempts are made
// when they first occur; attempts beyond 15 share one label, as in Kubernetes. Owned by one
// scheduler.
#pragma once

#include <string>

#include "control/base/metrics.h"

namespace minik::control {

class SchedulerMetrics {
 public:
  explicit SchedulerMetrics(MetricRegistry& registry);

  // One attempt of a profile, from the choice of a node to the binding's answer: "scheduled",
  // "unschedulable" or "error".
  void attempt(const std::string& profile, const std::string& result, Duration took);
  // From the first time the pod waited to its binding, in that many attempts.
  void scheduled(Duration waited, int attempts);
  void preemption(size_t victims);
  void pending(size_t active, size_t backing_off, size_t unschedulable, size_t gated);

 private:
  MetricRegistry& registry_;
  Gauge& active_;
  Gauge& back_off_;
  Gauge& unschedulable_;
  Gauge& gated_;
  Counter& preemptions_;
  Histogram& victims_;
  Histogram& attempts_;
  Histogram* first_attempt_ = nullptr;
  Counter* last_attempt_ = nullptr;  // of last_profile_ and last_result_, as is the next
  Histogram* last_duration_ = nullptr;
  std::string last_profile_, last_result_;
};

}  // namespace minik::control
