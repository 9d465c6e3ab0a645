// An executor for programs that put bytes through the control plane and look at the answer: time stands still, what is
// posted runs when run() is called, timers never fire.
#pragma once

#include <utility>
#include <vector>

#include "control/base/executor.h"

namespace minik {

class StillExecutor final : public Executor {
 public:
  Instant now() const override { return {}; }
  WallTime wall_now() const override { return {1'800'000'000'000'000'000}; }
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  TimerId after(Duration, Task) override { return {++timers_}; }
  void cancel(TimerId) override {}
  void run() {
    while (!tasks_.empty()) {
      for (const Task& task : std::exchange(tasks_, {})) task();
    }
  }

 private:
  std::vector<Task> tasks_;
  uint64_t timers_ = 0;
};

}  // namespace minik
