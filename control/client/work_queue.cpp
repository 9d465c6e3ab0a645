#include "control/client/work_queue.h"

#include <algorithm>

namespace minik::control {

namespace {
constexpr Duration kBackOffFirst = milliseconds(5);
constexpr Duration kBackOffLast = seconds(1000);
}  // namespace

WorkQueue::WorkQueue(Executor& executor, Task on_ready)
    : executor_(executor), on_ready_(std::move(on_ready)) {}

void WorkQueue::count_in(MetricRegistry& metrics, const std::string& name) {
  const MetricLabels labels{{"name", name}};
  std::vector<Duration> bounds;  // as client-go's, from 10 ns up by ten
  for (int64_t ns = 10; ns <= seconds(10).ns; ns *= 10) bounds.push_back(Duration{ns});
  metrics_.emplace(Metrics{
      metrics.gauge("workqueue_depth", "Keys that wait.", labels),
      metrics.gauge("workqueue_unfinished_work_seconds", "Time that the keys in work have been so, together.",
                    labels, MetricUnit::kSeconds),
      metrics.gauge("workqueue_longest_running_processor_seconds",
                    "Time that the key has been in work which has been so longest.", labels,
                    MetricUnit::kSeconds),
      metrics.counter("workqueue_adds_total", "Keys that were added.", labels),
      metrics.counter("workqueue_retries_total", "Keys that were added again after a failure.", labels),
      metrics.histogram("workqueue_queue_duration_seconds", "Time that a key waited for its turn.", labels,
                        bounds),
      metrics.histogram("workqueue_work_duration_seconds", "Time that a key was in work.", labels, bounds),
      metrics.collect([this] { collect(); })});
}

void WorkQueue::collect() {
  Duration together, longest;
  for (const auto& [key, since] : processing_) {
    if (resting_.contains(key)) continue;
    const Duration age = executor_.now() - since;
    together = together + age;
    longest = std::max(longest, age);
  }
  metrics_->depth.set(static_cast<int64_t>(queue_.size()));
  metrics_->unfinished.set(together.ns);
  metrics_->longest.set(longest.ns);
}

WorkQueue::~WorkQueue() {
  for (const auto& [key, delay] : delayed_) executor_.cancel(delay.timer);
  for (const auto& [key, timer] : resting_) executor_.cancel(timer);
}

void WorkQueue::add(const ObjectKey& key) {
  if (!dirty_.try_emplace(key, executor_.now()).second) return;
  if (metrics_) metrics_->adds.add();
  if (processing_.contains(key)) return;  // queued again by done()
  queue_.push_back(key);
  if (queue_.size() == 1) on_ready_();
}

void WorkQueue::add_after(const ObjectKey& key, Duration delay) {
  if (delay <= Duration{}) {
    add(key);
    return;
  }
  const Instant at = executor_.now() + delay;
  const auto pending = delayed_.find(key);
  if (pending != delayed_.end()) {
    if (pending->second.at <= at) return;
    executor_.cancel(pending->second.timer);
  }
  const TimerId timer = executor_.after(delay, [this, key] {
    delayed_.erase(key);
    add(key);
  });
  delayed_[key] = {at, timer};
}

void WorkQueue::add_rate_limited(const ObjectKey& key) {
  if (metrics_) metrics_->retries.add();
  const int doublings = std::min(failures_[key]++, 18);
  add_after(key, std::min(kBackOffFirst * (int64_t{1} << doublings), kBackOffLast));
}

void WorkQueue::forget(const ObjectKey& key) {
  failures_.erase(key);
}

int WorkQueue::failures(const ObjectKey& key) const {
  const auto found = failures_.find(key);
  return found == failures_.end() ? 0 : found->second;
}

std::optional<ObjectKey> WorkQueue::take() {
  if (queue_.empty()) return {};
  ObjectKey key = std::move(queue_.front());
  queue_.pop_front();
  const auto waiting = dirty_.find(key);
  if (metrics_) metrics_->waited.observe(executor_.now() - waiting->second);
  dirty_.erase(waiting);
  processing_.emplace(key, executor_.now());
  return key;
}

void WorkQueue::done(const ObjectKey& key) {
  worked(key);
  leave(key);
}

void WorkQueue::worked(const ObjectKey& key) {
  if (metrics_) metrics_->worked.observe(executor_.now() - processing_.at(key));
}

void WorkQueue::leave(const ObjectKey& key) {
  processing_.erase(key);
  if (!dirty_.contains(key)) return;
  queue_.push_back(key);
  if (queue_.size() == 1) on_ready_();
}

void WorkQueue::done_after(const ObjectKey& key, Duration rest) {
  if (rest <= Duration{}) {
    done(key);
    return;
  }
  worked(key);
  resting_[key] = executor_.after(rest, [this, key] {
    resting_.erase(key);
    leave(key);
  });
}

bool WorkQueue::idle() const {
  const bool none_waits = std::ranges::none_of(
      resting_, [this](const auto& resting) { return dirty_.contains(resting.first); });
  return queue_.empty() && delayed_.empty() && processing_.size() == resting_.size() && none_waits;
}

}  // namespace minik::control
