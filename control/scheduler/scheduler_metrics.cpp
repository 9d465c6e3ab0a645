#include "control/scheduler/scheduler_metrics.h"

#include "control/base/text.h"

namespace minik::control {

namespace {

constexpr int kAttemptsLabelMax = 15;

Gauge& pending_gauge(MetricRegistry& registry, const char* queue) {
  return registry.gauge("scheduler_pending_pods", "Pods that wait for a node, by queue.",
                        {{"queue", queue}});
}

Gauge& cache_gauge(MetricRegistry& registry, const char* type) {
  return registry.gauge("scheduler_cache_size", "Nodes, pods and assumed pods that the scheduler knows.", {{"type", type}});
}

Gauge& rejected_gauge(MetricRegistry& registry, std::string_view plugin, const std::string& profile) {
  return registry.gauge("scheduler_unschedulable_pods", "Pods that wait, by the plugins that refused them; one counts for each.",
                        {{"plugin", std::string(plugin)}, {"profile", profile}});
}

// Whole numbers stand in a histogram of durations as whole seconds.
std::vector<Duration> powers_of_two(int count) {
  std::vector<Duration> bounds;
  for (int i = 0; i < count; ++i) bounds.push_back(seconds(int64_t{1} << i));
  return bounds;
}

std::vector<Duration> sli_bounds() {
  std::vector<Duration> bounds;
  for (int i = 0; i < 20; ++i) bounds.push_back(milliseconds(10) * (int64_t{1} << i));
  return bounds;
}

std::vector<Duration> attempt_bounds() {
  std::vector<Duration> bounds;
  for (int i = 0; i < 15; ++i) bounds.push_back(milliseconds(1) * (int64_t{1} << i));
  return bounds;
}

std::vector<Duration> point_bounds() {
  std::vector<Duration> bounds;
  for (int i = 0; i < 12; ++i) bounds.push_back(milliseconds(1) / 10 * (int64_t{1} << i));
  return bounds;
}

constexpr std::array<const char*, 6> kPointNames = {"PreFilter", "Filter", "PostFilter", "Score", "PreBind", "Bind"};
constexpr std::array<const char*, 3> kStatusNames = {"Success", "Unschedulable", "Error"};

}  // namespace

SchedulerMetrics::SchedulerMetrics(MetricRegistry& registry)
    : registry_(registry),
      active_(pending_gauge(registry, "active")),
      back_off_(pending_gauge(registry, "backoff")),
      unschedulable_(pending_gauge(registry, "unschedulable")),
      gated_(pending_gauge(registry, "gated")),
      cached_nodes_(cache_gauge(registry, "nodes")),
      cached_pods_(cache_gauge(registry, "pods")),
      assumed_pods_(cache_gauge(registry, "assumed_pods")),
      preemptions_(registry.counter("scheduler_preemption_attempts_total",
                                    "Attempts to make room by preemption that found victims.")),
      victims_(registry.histogram("scheduler_preemption_victims", "Victims of one preemption.", {},
                                  powers_of_two(7))),
      attempts_(registry.histogram("scheduler_pod_scheduling_attempts",
                                   "Attempts until a pod was bound.", {}, powers_of_two(5))),
      algorithm_(registry.histogram("scheduler_scheduling_algorithm_duration_seconds",
                                    "Time of the choice of a node, in one cycle of ten.", {}, attempt_bounds())) {}

void SchedulerMetrics::incoming(QueueName queue, QueueEvent event) {
  auto& counter = incoming_[static_cast<size_t>(queue)][static_cast<size_t>(event)];
  if (!counter) {
    counter = &registry_.counter("scheduler_queue_incoming_pods_total", "Pods that came into a queue, by the event.",
                                 {{"event", std::string(kQueueEventLabels[static_cast<size_t>(event)])},
                                  {"queue", std::string(kQueueNames[static_cast<size_t>(queue)])}});
  }
  counter->add();
}

void SchedulerMetrics::extension_point(ExtensionPoint point, PointStatus status, const std::string& profile,
                                       Duration took) {
  auto& histogram = points_[profile][static_cast<size_t>(point)][static_cast<size_t>(status)];
  if (!histogram) {
    histogram = &registry_.histogram("scheduler_framework_extension_point_duration_seconds",
                                     "Time of an extension point; of the steps of every pod in one cycle of ten.",
                                     {{"extension_point", kPointNames[static_cast<size_t>(point)]},
                                      {"profile", profile},
                                      {"status", kStatusNames[static_cast<size_t>(status)]}},
                                     point_bounds());
  }
  histogram->observe(took);
}

void SchedulerMetrics::attempt(const std::string& profile, const std::string& result,
                               Duration took) {
  if (!last_attempt_ || profile != last_profile_ || result != last_result_) {
    last_attempt_ = &registry_.counter("scheduler_schedule_attempts_total",
                                       "Attempts to schedule pods, by the result.",
                                       {{"profile", profile}, {"result", result}});
    last_duration_ =
        &registry_.histogram("scheduler_scheduling_attempt_duration_seconds",
                             "Time of one attempt: the choice of a node and the binding to it.",
                             {{"profile", profile}, {"result", result}}, attempt_bounds());
    last_profile_ = profile;
    last_result_ = result;
  }
  last_attempt_->add();
  last_duration_->observe(took);
}

void SchedulerMetrics::scheduled(Duration waited, int attempts) {
  const auto series = [&](const std::string& label) -> Histogram& {
    return registry_.histogram("scheduler_pod_scheduling_sli_duration_seconds",
                               "Time from a pod's arrival in the queue to its binding.",
                               {{"attempts", label}}, sli_bounds());
  };
  attempts_.observe(seconds(attempts));
  if (attempts == 1) {
    if (!first_attempt_) first_attempt_ = &series("1");
    first_attempt_->observe(waited);
  } else {
    series(attempts > kAttemptsLabelMax ? cat(kAttemptsLabelMax, "+") : cat(attempts))
        .observe(waited);
  }
}

void SchedulerMetrics::preemption(size_t victims) {
  preemptions_.add();
  victims_.observe(seconds(static_cast<int64_t>(victims)));
}

void SchedulerMetrics::rejected(const std::string& profile, const Rejections& by, int64_t pods) {
  if (by.empty()) return;
  auto& gauges = rejected_[profile][by];
  if (gauges.empty()) {
    for (const auto plugin : by.plugins()) gauges.push_back(&rejected_gauge(registry_, plugin, profile));
  }
  for (auto* gauge : gauges) gauge->add(pods);
}

void SchedulerMetrics::gated(const std::string& profile, int64_t pods) {
  rejected_gauge(registry_, "SchedulingGates", profile).add(pods);
}

void SchedulerMetrics::cached(size_t nodes, size_t pods, size_t assumed_pods) {
  cached_nodes_.set(static_cast<int64_t>(nodes));
  cached_pods_.set(static_cast<int64_t>(pods));
  assumed_pods_.set(static_cast<int64_t>(assumed_pods));
}

void SchedulerMetrics::pending(size_t active, size_t backing_off, size_t unschedulable,
                               size_t gated) {
  active_.set(static_cast<int64_t>(active));
  back_off_.set(static_cast<int64_t>(backing_off));
  unschedulable_.set(static_cast<int64_t>(unschedulable));
  gated_.set(static_cast<int64_t>(gated));
}

}  // namespace minik::control
