#include "sim/timer_queue.h"

#include <gtest/gtest.h>

#include <queue>

#include "control/base/rng.h"

namespace minik::sim {
namespace {

bool same(const Due& a, const Due& b) { return a.at == b.at && a.tie == b.tie && a.sequence == b.sequence; }

// Timers of all lengths come and go as in a run: none is due before the one that was taken last.
void runs_like_a_heap(uint64_t seed, Duration longest) {
  Rng rng(seed);
  TimerQueue queue;
  std::priority_queue<Due> heap;
  Instant now;
  uint64_t sequence = 0;
  for (int step = 0; step < 20'000; ++step) {
    for (uint64_t more = rng.below(3); more > 0; --more) {
      // Many are due in one instant, some now, some after hours.
      const Duration delay = rng.below(4) == 0 ? Duration{} : rng.between(Duration{}, longest / (1 << rng.below(20)));
      const Due due{now + delay, rng.below(3), sequence++, 0, 0};
      queue.push(due);
      heap.push(due);
    }
    const Due* first = queue.top();
    ASSERT_EQ(first == nullptr, heap.empty());
    if (!first) continue;
    ASSERT_TRUE(same(*first, heap.top())) << "step " << step;
    now = first->at;
    queue.pop();
    heap.pop();
  }
}

TEST(TimerQueue, IsInTheOrderOfOneHeapWhenTimersAreShort) { runs_like_a_heap(1, seconds(1)); }

TEST(TimerQueue, IsInTheOrderOfOneHeapWhenTimersGoBeyondTheBuckets) { runs_like_a_heap(2, hours(3)); }

TEST(TimerQueue, HasNothingWhenAllWasTaken) {
  TimerQueue queue;
  EXPECT_EQ(queue.top(), nullptr);
  queue.push({Instant{hours(24).ns}, 0, 0, 0, 0});
  ASSERT_NE(queue.top(), nullptr);
  queue.pop();
  EXPECT_EQ(queue.top(), nullptr);
}

// The clock stands before what was looked at; then something is set that is due in between.
TEST(TimerQueue, TakesATimerThatIsDueBeforeTheFirstOne) {
  TimerQueue queue;
  queue.push({Instant{hours(1).ns}, 0, 0, 0, 0});
  ASSERT_NE(queue.top(), nullptr);
  queue.push({Instant{seconds(1).ns}, 0, 1, 0, 0});
  EXPECT_EQ(queue.top()->at, Instant{seconds(1).ns});
}

}  // namespace
}  // namespace minik::sim
