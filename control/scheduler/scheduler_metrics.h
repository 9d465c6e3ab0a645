// The scheduler's metrics under kube-scheduler's names. Series of results and attempts are made
// when they first occur; attempts beyond 15 share one label, as in Kubernetes. Owned by one
// scheduler.
//
// Of the extension points those that every pod goes through (PreFilter, Filter, Score, Bind) are timed in one cycle of
// ten, as kube-scheduler does with its plugins: two looks at the clock would be seen in what a pod costs.
// Filter is the bringing up to date of the class's order, in which filters and the scores of a node alone are one step;
// Score weighs the first nodes of its groups. Of a pod that is alone of its kind they are what they are called.
#pragma once

#include <array>
#include <map>
#include <string>

#include "control/base/metrics.h"
#include "control/scheduler/queue_event.h"
#include "control/scheduler/rejections.h"

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
  // So many more pods, or less, wait because these plugins refused them; held back by gates: because of SchedulingGates.
  void rejected(const std::string& profile, const Rejections& by, int64_t pods);
  void gated(const std::string& profile, int64_t pods);
  // What the scheduler knows of, as it is asked for.
  void cached(size_t nodes, size_t pods, size_t assumed_pods);
  void pending(size_t active, size_t backing_off, size_t unschedulable, size_t gated);

 private:
  MetricRegistry& registry_;
  Gauge& active_;
  Gauge& back_off_;
  Gauge& unschedulable_;
  Gauge& gated_;
  Gauge& cached_nodes_;
  Gauge& cached_pods_;
  Gauge& assumed_pods_;
  Counter& preemptions_;
  Histogram& victims_;
  Histogram& attempts_;
  Histogram& algorithm_;
  using Rejected = std::map<Rejections, std::vector<Gauge*>>;
  std::map<std::string, Rejected, std::less<>> rejected_;  // by profile
  std::array<std::array<Counter*, kQueueEventLabels.size()>, kQueueNames.size()> incoming_ = {};
  using Points = std::array<std::array<Histogram*, 3>, 6>;  // by point and status
  std::map<std::string, Points, std::less<>> points_;       // by profile
  Histogram* first_attempt_ = nullptr;
  Counter* last_attempt_ = nullptr;  // of last_profile_ and last_result_, as is the next
  Histogram* last_duration_ = nullptr;
  std::string last_profile_, last_result_;
};

}  // namespace minik::control
