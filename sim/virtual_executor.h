// VirtualExecutor: time that jumps. One queue ordered by (virtual time, seeded tie-break, sequence);
// nothing else decides an order, so a run is a function of its seed.
//
// What is posted runs before time moves on, in order of posting. Timers due at one instant run in an
// order that the seed draws, which is how a run finds code that relies on such an order. Single-threaded;
// owns nothing but its tasks.
//
// Tasks run in lanes: one for the control plane, one for each machine. While a lane is frozen its tasks wait, and
// run in their order when it thaws.
#pragma once

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "control/base/executor.h"
#include "control/base/rng.h"
#include "sim/chance_window.h"
#include "sim/timer_queue.h"

namespace minik::sim {

struct LaneId {
  uint32_t value = 0;  // 0 is the control plane's, which never freezes
};

class VirtualExecutor : public Executor {
 public:
  VirtualExecutor(uint64_t seed, WallTime begin);

  Instant now() const override { return now_; }
  WallTime wall_now() const override { return begin_ + Duration{now_.ns}; }
  void post(Task task) override { post(LaneId{}, std::move(task)); }
  TimerId after(Duration delay, Task task) override { return after(LaneId{}, delay, std::move(task)); }
  void cancel(TimerId timer) override;

  // When ties are drawn: always, unless this is called.
  void set_chance(ChanceWindow chance) { chance_ = chance; }

  LaneId add_lane();
  void post(LaneId lane, Task task);
  TimerId after(LaneId lane, Duration delay, Task task);
  void set_frozen(LaneId lane, bool frozen);
  bool frozen(LaneId lane) const { return lanes_[lane.value].frozen; }

  // Runs the next task; false when there is none left.
  bool step() { return step_until(Instant{INT64_MAX}); }
  // Runs everything that is due up to and including this instant, and stands there afterwards.
  void run_until(Instant end);
  // Like run_until, but returns early when `stop` answers true; asked after each step.
  bool run_until(Instant end, const std::function<bool()>& stop);

  uint64_t steps() const { return steps_; }
  // The next timer's instant, for whoever shows progress; the end of time when nothing waits.
  Instant next();

 private:
  // The next task that is due by then.
  bool step_until(Instant end);

  struct Slot {
    Task task;
    uint32_t generation = 0;
    uint32_t lane = 0;
    bool armed = false;
  };
  const Due* next_timer();
  struct Ready {
    Task task;
    uint32_t lane;
  };

  struct Lane {
    bool frozen = false;
    // What came up meanwhile.
    std::vector<Ready> ready;
    std::vector<Due> timers;
  };

  WallTime begin_;
  Instant now_;
  Rng rng_;
  ChanceWindow chance_;
  std::deque<Ready> ready_;
  std::vector<Lane> lanes_;
  TimerQueue timers_;
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  uint64_t sequence_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace minik::sim
