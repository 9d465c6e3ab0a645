#include "minik/live/outside_gate.h"

#include <chrono>
#include <utility>

namespace minik {

void OutsideGate::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(std::move(task));
    waiting_.store(true, std::memory_order_release);
  }
  arrived_.notify_one();
}

void OutsideGate::let_in() {
  // What is let in may post again, to be handed over in a batch of its own.
  while (waiting()) {
    std::vector<Task> batch;
    {
      const std::lock_guard lock(mutex_);
      batch.swap(queue_);
      waiting_.store(false, std::memory_order_release);
    }
    for (auto& task : batch) std::exchange(task, nullptr)();
    time_.run_until(time_.now());
  }
}

void OutsideGate::wait(std::optional<Duration> at_most) {
  std::unique_lock lock(mutex_);
  const auto arrived = [this] { return !queue_.empty(); };
  if (at_most) {
    arrived_.wait_for(lock, std::chrono::nanoseconds(at_most->ns), arrived);
  } else {
    arrived_.wait(lock, arrived);
  }
}

}  // namespace minik
