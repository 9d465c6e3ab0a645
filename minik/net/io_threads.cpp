#include "minik/net/io_threads.h"

#include <csignal>
#include <future>

namespace minik {

IoThreads::IoThreads(size_t count) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  for (size_t i = 0; i < count; ++i) {
    loops_.push_back(std::make_shared<EventLoop>());
    threads_.emplace_back([loop = loops_.back()] { loop->run(); });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

IoThreads::~IoThreads() {
  stop();
}

const std::shared_ptr<EventLoop>& IoThreads::next_loop() {
  return loops_[next_.fetch_add(1, std::memory_order_relaxed) % loops_.size()];
}

void IoThreads::stop() {
  for (const auto& loop : loops_) loop->stop();
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

void run_on(EventLoop& loop, const Task& task) {
  if (loop.on_loop_thread()) return task();
  std::promise<void> ran;
  loop.post([&] {
    task();
    ran.set_value();
  });
  ran.get_future().wait();
}

}  // namespace minik
