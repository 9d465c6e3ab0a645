// WorkerPool: a few threads that carry what would hold the control thread up (unpacking an image,
// an HTTP probe, a mount), and bring the outcome back to it.
//
// Threads start when there is work and none is free, up to the number asked for, and stay: a pool that was never busy has
// few. The queue is bounded: a full one refuses with kTooManyRequests, and the caller, a level-triggered
// reconciler, comes again. Work starts in the order in which it was given; with more than one
// thread it may end in another. Results travel by value: `then` runs on the executor.
//
// Any thread may call run(). The pool must go before its executor. Its destructor waits for the
// work that has started and drops what has not, without calling `then`; work must therefore be
// bounded in time by itself. Exceptions stop in the work: one that leaves it ends the process.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "control/base/executor.h"
#include "control/base/result.h"

namespace minik {

struct WorkerPoolOptions {
  size_t threads = 2;  // at the most
  // A few thousand pending starts fit; beyond that the caller's own queue should hold the rest.
  size_t queue_max = 4096;
};

class WorkerPool {
 public:
  WorkerPool(Executor& executor, WorkerPoolOptions options);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  Status run(Task work, Task then);

  // The same with a value: work() on a worker, then(its result) on the executor.
  template <typename Work, typename Then>
  Status run_for(Work work, Then then) {
    using Value = decltype(work());
    auto value = std::make_shared<std::unique_ptr<Value>>();
    return run(
        [work = std::move(work), value]() mutable { *value = std::make_unique<Value>(work()); },
        [then = std::move(then), value]() mutable { then(std::move(**value)); });
  }

 private:
  struct Job {
    Task work;
    Task then;
  };
  void start_thread();  // under mutex_
  void work_until_closed();

  Executor& executor_;
  const size_t threads_max_, queue_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> queue_;  // under mutex_
  size_t idle_ = 0;        // threads that wait for work; under mutex_
  bool closed_ = false;    // under mutex_
  std::vector<std::thread> threads_;  // under mutex_, until closed
};

}  // namespace minik
