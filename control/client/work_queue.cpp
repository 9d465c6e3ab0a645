#include "control/client/work_queue.h"

#include <algorithm>

namespace minik::control {

namespace {
constexpr Duration kBackOffFirst = milliseconds(5);
constexpr Duration kBackOffLast = seconds(1000);
}  // namespace

WorkQueue::WorkQueue(Executor& executor, Task on_ready)
    : executor_(executor), on_ready_(std::move(on_ready)) {}

WorkQueue::~WorkQueue() {
  for (const auto& [key, delay] : delayed_) executor_.cancel(delay.timer);
  for (const auto& [key, timer] : resting_) executor_.cancel(timer);
}

void WorkQueue::add(const ObjectKey& key) {
  if (!dirty_.insert(key).second) return;
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
  dirty_.erase(key);
  processing_.insert(key);
  return key;
}

void WorkQueue::done(const ObjectKey& key) {
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
  resting_[key] = executor_.after(rest, [this, key] {
    resting_.erase(key);
    done(key);
  });
}

bool WorkQueue::idle() const {
  const bool none_waits = std::ranges::none_of(
      resting_, [this](const auto& resting) { return dirty_.contains(resting.first); });
  return queue_.empty() && delayed_.empty() && processing_.size() == resting_.size() && none_waits;
}

}  // namespace minik::control
