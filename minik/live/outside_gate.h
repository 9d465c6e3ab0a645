// OutsideGate: where requests from outside wait until virtual time stands between two steps.
//
//   I/O threads --post()--> queue | thread of the simulation: let_in() --> ApiServer
//
// The ApiFront takes it for the control thread's Executor, which it is for that front: what is posted runs
// in order on the simulation's thread, at the virtual moment where time happens to stand, and all that
// follows from it without time passing runs with it. So a paused simulation answers reads and commits
// writes. A run that nobody asks anything goes the way of `minik sim run`, step for step.
//
// post(), waiting() and wake() may be called by any thread; all else belongs to the simulation's.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

#include "control/base/executor.h"
#include "sim/virtual_executor.h"

namespace minik {

class OutsideGate final : public Executor {
 public:
  explicit OutsideGate(sim::VirtualExecutor& time) : time_(time) {}

  Instant now() const override { return time_.now(); }
  WallTime wall_now() const override { return time_.wall_now(); }
  void post(Task task) override;
  TimerId after(Duration delay, Task task) override { return time_.after(delay, std::move(task)); }
  void cancel(TimerId timer) override { time_.cancel(timer); }

  bool waiting() const { return waiting_.load(std::memory_order_acquire); }
  void let_in();
  // Until something waits; nothing: for as long as it takes.
  void wait(std::optional<Duration> at_most);

 private:
  sim::VirtualExecutor& time_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::vector<Task> queue_;
  std::atomic<bool> waiting_ = false;
};

}  // namespace minik
