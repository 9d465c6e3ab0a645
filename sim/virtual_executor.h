// VirtualExecutor: time that jumps. One queue ordered by (virtual time, seeded tie-break, sequence);
// nothing else decides an order, so a run is a function of its seed.
//
// What is posted runs before time moves on, in order of posting. Timers due at one instant run in an
// order that the seed draws, which is how a run finds code that relies on such an order. Single-threaded;
// owns nothing but its tasks.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

#include "control/base/executor.h"
#include "control/base/rng.h"
#include "sim/timer_queue.h"

namespace minik::sim {

class VirtualExecutor : public Executor {
 public:
  VirtualExecutor(uint64_t seed, WallTime begin);

  Instant now() const override { return now_; }
  WallTime wall_now() const override { return begin_ + Duration{now_.ns}; }
  void post(Task task) override;
  TimerId after(Duration delay, Task task) override;
  void cancel(TimerId timer) override;

  // Runs the next task; false when there is none left.
  bool step();
  // Runs everything that is due up to and including this instant, and stands there afterwards.
  void run_until(Instant end);
  // Like run_until, but returns early when `stop` answers true; asked after each step.
  bool run_until(Instant end, const std::function<bool()>& stop);

  uint64_t steps() const { return steps_; }
  // The next timer's instant, for whoever shows progress; the end of time when nothing waits.
  Instant next();

 private:
  struct Slot {
    Task task;
    uint32_t generation = 0;
    bool armed = false;
  };
  const Due* next_timer();

  WallTime begin_;
  Instant now_;
  Rng rng_;
  std::deque<Task> ready_;
  TimerQueue timers_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  uint64_t sequence_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace minik::sim
