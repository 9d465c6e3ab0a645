// The scheduler's metrics under kube-scheduler's names. Series of results and attempts are made
// when they first occur; attempts beyond 15 share one label, as in Kubernetes. Owned by one
// scheduler.
//
// Of the extension points those that every pod goes through (PreFilter, Filter, Score, Bind) are timed in one cycle of
// ten, as kube-scheduler does with its plugins: two looks at the clock would be seen in what a pod costs.
// Filter is the bringing up to date of the class's order, in which filters and the scores of a node alone are one step;
// Score weighs the first nodes of its groups.
#pragma once

#include <array>
#include <map>
#include <string>

#include "control/base/metrics.h"
#include "control/scheduler/queue_event.h"

namespace minik::control {

enum class ExtensionPoint : uint8_t { kPreFilter, kFilter, kPostFilter, kScore, kPreBind, kBind };
enum class PointStatus : uint8_t { kSuccess, kUnschedulable, kError };

class SchedulerMetrics {
 public:
  explicit SchedulerMetrics(MetricRegistry& registry);

  // One attempt of a profile, from the choice of a node to the binding's answer: "scheduled",
  // "unschedulable" or "error".
  void attempt(const std::string& profile, const std::string& result, Duration took);
  // From the first time the pod waited to its binding, in that many attempts.
  void scheduled(Duration waited, int attempts);
  void preemption(size_t victims);
  void incoming(QueueName queue, QueueEvent event);
  void extension_point(ExtensionPoint point, PointStatus status, const std::string& profile, Duration took);
  // The choice of a node, without the binding.
  void algorithm(Duration took) { algorithm_.observe(took); }
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
  Histogram& algorithm_;
  std::array<std::array<Counter*, kQueueEventLabels.size()>, kQueueNames.size()> incoming_ = {};
  using Points = std::array<std::array<Histogram*, 3>, 6>;  // by point and status
  std::map<std::string, Points, std::less<>> points_;       // by profile
  Histogram* first_attempt_ = nullptr;
  Counter* last_attempt_ = nullptr;  // of last_profile_ and last_result_, as is the next
  Histogram* last_duration_ = nullptr;
  std::string last_profile_, last_result_;
};

}  // namespace minik::control
