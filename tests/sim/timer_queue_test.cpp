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

// A wave of timers that goes through many buckets takes the memory of the wave, not that of each bucket's largest part of it.
TEST(TimerQueue, UsesTheMemoryOfTimersThatAreOver) {
  TimerQueue queue;
  constexpr size_t kWave = 1'000;
  uint64_t sequence = 0;
  for (int64_t at = 1; at <= 500; ++at) {
    const Instant due{milliseconds(10 * at).ns};
    for (size_t i = 0; i < kWave; ++i) queue.push({due, 0, sequence++, 0, 0});
    for (size_t i = 0; i < kWave; ++i) {
      ASSERT_NE(queue.top(), nullptr);
      queue.pop();
    }
  }
  EXPECT_EQ(queue.top(), nullptr);
  EXPECT_LE(queue.blocks(), kWave / TimerQueue::kBlock + 1);
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
