#include "minik/process/worker_pool.h"

#include <csignal>

namespace minik {

WorkerPool::WorkerPool(Executor& executor, WorkerPoolOptions options)
    : executor_(executor), queue_max_(options.queue_max) {
  // Signals are the main thread's: the workers inherit a mask that blocks them all.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  threads_.reserve(options.threads);
  for (size_t i = 0; i < options.threads; ++i) {
    threads_.emplace_back([this] { work_until_closed(); });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

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
  }
  wake_.notify_one();
  return {};
}

void WorkerPool::work_until_closed() {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return closed_ || !queue_.empty(); });
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
