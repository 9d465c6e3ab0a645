// IoThreads: the one or two threads that carry bytes, each with an EventLoop of its own.
//
// A connection lives on one loop for its whole life, so nothing on it needs a lock. The loops exist
// from construction and run until stop(), which joins the threads; what belongs to a loop (watches,
// servers) must be gone or idle by then. Loops are shared, so that an answer which arrives late
// from another thread posts into a stopped loop and is dropped, instead of into freed memory.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <thread>
#include <vector>

#include "minik/net/event_loop.h"

namespace minik {

class IoThreads {
 public:
  explicit IoThreads(size_t count);
  ~IoThreads();
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;

  size_t size() const { return loops_.size(); }
  const std::shared_ptr<EventLoop>& loop(size_t index) const { return loops_[index]; }
  // Loops in turn, for new connections.
  const std::shared_ptr<EventLoop>& next_loop();

  void stop();

 private:
  std::vector<std::shared_ptr<EventLoop>> loops_;
  std::vector<std::thread> threads_;
  std::atomic<size_t> next_ = 0;
};

// Runs the task on the loop's thread and waits until it has run; directly when called there.
void run_on(EventLoop& loop, const Task& task);

}  // namespace minik
