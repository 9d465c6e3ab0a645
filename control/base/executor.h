// The edge to time: every callback of the control plane runs on an Executor, one at a time, to
// completion. There are two: Asio in the process (minik/process) and the virtual one in the simulator
// (sim/), whose clock jumps to the next timer.
//
// Order: callbacks become ready at (time, sequence); the virtual executor may shuffle ties by its seed,
// so nothing may rely on the order of two callbacks that are due together. post() is the one method
// that other threads may call; all else belongs to the control thread. Timers never fire early, and a
// cancelled timer never fires.
#pragma once

#include <cstdint>
#include <functional>

#include "control/base/time.h"

namespace minik {

using Task = std::function<void()>;

// 0 names no timer, so that a member can say "none".
struct TimerId {
  uint64_t value = 0;
  explicit operator bool() const { return value != 0; }
  bool operator==(const TimerId&) const = default;
};

class Executor {
 public:
  virtual ~Executor() = default;

  virtual Instant now() const = 0;
  virtual WallTime wall_now() const = 0;

  virtual void post(Task task) = 0;
  virtual TimerId after(Duration delay, Task task) = 0;
  // Cancelling a timer that has fired, or none, does nothing.
  virtual void cancel(TimerId timer) = 0;
};

// A timer that is cancelled with its owner: the usual way to hold one.
class ScopedTimer {
 public:
  explicit ScopedTimer(Executor& executor) : executor_(executor) {}
  ~ScopedTimer() { cancel(); }
  ScopedTimer(const ScopedTimer&) = delete;
  ScopedTimer& operator=(const ScopedTimer&) = delete;

  // Replaces a pending one.
  void arm(Duration delay, Task task) {
    cancel();
    id_ = executor_.after(delay, [this, run = std::move(task)] {
      id_ = {};
      run();
    });
  }
  void cancel() {
    if (id_) executor_.cancel(id_);
    id_ = {};
  }
  bool armed() const { return static_cast<bool>(id_); }

 private:
  Executor& executor_;
  TimerId id_;
};

}  // namespace minik
