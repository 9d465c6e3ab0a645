// An executor for tests of the log: callbacks that the writer thread posts run on the test's own
// thread, inside run_until(). It has no timers, because the log asks for none.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>

#include "control/base/check.h"
#include "control/base/executor.h"

namespace minik::control {

class LogExecutor final : public Executor {
 public:
  Instant now() const override { return {}; }
  WallTime wall_now() const override { return {}; }
  void post(Task task) override {
    {
      const std::lock_guard lock(mutex_);
      tasks_.push_back(std::move(task));
    }
    wake_.notify_one();
  }
  TimerId after(Duration, Task) override {
    CHECK(false) << "no timers here";
    return {};
  }
  void cancel(TimerId) override {}

  void run_until(const std::function<bool()>& done) {
    while (!done()) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return !tasks_.empty(); });
      const Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
    }
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Task> tasks_;
};

}  // namespace minik::control
