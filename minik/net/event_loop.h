// EventLoop: the Executor of the real world, and readiness of file descriptors, on Boost.Asio.
//
// One thread runs a loop (run()) and everything that belongs to it: timers, posted tasks,
// FdWatches. The control thread is one loop; each I/O thread is another. An idle loop sleeps in
// epoll_wait and costs nothing.
//
// Invariants: callbacks run one at a time, to completion, never from inside the call that asked for
// them. post(), stop() and on_loop_thread() may be called by any thread; everything else belongs to
// the loop's thread, or to the one that sets the loop up before run(). Timers never fire early; a
// cancelled timer never fires. Tasks that are pending when the loop is destroyed are destroyed
// without a call.
//
// It does not catch exceptions: adapters of throwing libraries do that where they call them.
#pragma once

#include <memory>

#include "control/base/executor.h"

namespace minik {

class EventLoop final : public Executor {
 public:
  EventLoop();
  ~EventLoop() override;
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Instant now() const override;
  WallTime wall_now() const override;
  void post(Task task) override;
  TimerId after(Duration delay, Task task) override;
  void cancel(TimerId timer) override;

  // Runs until stop(). May be called once.
  void run();
  void stop();
  bool on_loop_thread() const;

 private:
  friend class FdWatch;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Tells once when a descriptor is readable or writable. The descriptor stays its owner's, who
// closes it only after the watch is gone; the loop outlives the watch. What epoll cannot watch
// (regular files) counts as always ready. Destroying the watch drops what is pending without a
// call; a callback may destroy its own watch.
class FdWatch {
 public:
  FdWatch(EventLoop& loop, int fd);
  ~FdWatch();
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;

  // Does nothing when a wait of the same kind is pending: the earlier task stays.
  void wait_readable(Task task);
  void wait_writable(Task task);
  bool waiting_readable() const;
  bool waiting_writable() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace minik
