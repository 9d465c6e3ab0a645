#include "minik/process/worker_pool.h"

#include <csignal>
#include <system_error>

#include "control/base/check.h"

namespace minik {

WorkerPool::WorkerPool(Executor& executor, WorkerPoolOptions options)
    : executor_(executor), threads_max_(options.threads), queue_max_(options.queue_max) {}

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  wake_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Status WorkerPool::run(Task work, Task then) {
  {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= queue_max_) {
      return Error(ErrorCode::kTooManyRequests, "the workers' queue is full; try again later");
    }
    queue_.push_back({std::move(work), std::move(then)});
    if (queue_.size() > idle_ && threads_.size() < threads_max_) start_thread();
  }
  wake_.notify_one();
  return {};
}

void WorkerPool::start_thread() {
  // Signals are the main thread's: the workers inherit a mask that blocks them all.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  try {
    threads_.emplace_back([this] { work_until_closed(); });
  } catch (const std::system_error& error) {
    // The machine has no more to give: those that there are carry on.
    CHECK(!threads_.empty()) << "start a worker thread: " << error.what();
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void WorkerPool::work_until_closed() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      ++idle_;
      wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
      --idle_;
      if (closed_) return;
      job = std::move(queue_.front());
      queue_.pop_front();
    }
    job.work();
    job.work = nullptr;
    executor_.post(std::move(job.then));
  }
}

}  // namespace minik
