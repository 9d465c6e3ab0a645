#include "control/client/work_queue.h"

#include <gtest/gtest.h>

#include "sim/virtual_executor.h"

namespace minik::control {
namespace {

class WorkQueueTest : public ::testing::Test {
 protected:
  sim::VirtualExecutor executor{1, WallTime{}};
  WorkQueue queue{executor, [] {}};
  ObjectKey key{"default", "a"};
};

TEST_F(WorkQueueTest, GivesAKeyOnceHoweverOftenItWasAdded) {
  for (int i = 0; i < 5; ++i) queue.add(key);
  EXPECT_EQ(queue.take(), key);
  EXPECT_FALSE(queue.take());
}

TEST_F(WorkQueueTest, GivesAKeyAgainThatChangedWhileItWasInWork) {
  queue.add(key);
  queue.take();
  queue.add(key);
  EXPECT_FALSE(queue.take());
  queue.done(key);
  EXPECT_EQ(queue.take(), key);
}

TEST_F(WorkQueueTest, WaitsTwiceAsLongAfterEachFailureUntilSuccess) {
  queue.add_rate_limited(key);
  executor.run_until(executor.now() + milliseconds(5));
  EXPECT_EQ(queue.take(), key);
  queue.done(key);
  queue.add_rate_limited(key);
  executor.run_until(executor.now() + milliseconds(9));
  EXPECT_FALSE(queue.take());
  executor.run_until(executor.now() + milliseconds(1));
  EXPECT_EQ(queue.take(), key);
  queue.forget(key);
  EXPECT_EQ(queue.failures(key), 0);
}

TEST_F(WorkQueueTest, LetsAKeyRestHoweverOftenItChangesMeanwhile) {
  queue.add(key);
  queue.take();
  queue.done_after(key, seconds(1));
  EXPECT_TRUE(queue.idle());
  queue.add(key);
  queue.add(key);
  EXPECT_FALSE(queue.idle());
  executor.run_until(executor.now() + milliseconds(999));
  EXPECT_FALSE(queue.take());
  executor.run_until(executor.now() + milliseconds(1));
  EXPECT_EQ(queue.take(), key);
  queue.done(key);
  EXPECT_TRUE(queue.idle());
}

TEST_F(WorkQueueTest, KeepsTheEarlierOfTwoDelays) {
  queue.add_after(key, seconds(5));
  queue.add_after(key, seconds(1));
  queue.add_after(key, seconds(9));
  executor.run_until(executor.now() + seconds(1));
  EXPECT_EQ(queue.take(), key);
  queue.done(key);
  EXPECT_TRUE(queue.idle());
}

TEST_F(WorkQueueTest, CountsHowLongKeysWaitAndAreInWork) {
  MetricRegistry metrics;
  WorkQueue counted(executor, [] {});
  counted.count_in(metrics, "demo");
  const auto shows = [&](const std::string& line) {
    return metrics.text().find(line + "\n") != std::string::npos;
  };
  counted.add(key);
  counted.add(key);
  EXPECT_TRUE(shows("workqueue_depth{name=\"demo\"} 1"));
  executor.run_until(executor.now() + seconds(2));
  counted.take();
  executor.run_until(executor.now() + seconds(3));
  EXPECT_TRUE(shows("workqueue_depth{name=\"demo\"} 0"));
  EXPECT_TRUE(shows("workqueue_queue_duration_seconds_sum{name=\"demo\"} 2"));
  EXPECT_TRUE(shows("workqueue_unfinished_work_seconds{name=\"demo\"} 3"));
  EXPECT_TRUE(shows("workqueue_longest_running_processor_seconds{name=\"demo\"} 3"));
  counted.add_rate_limited(key);
  counted.done_after(key, seconds(10));
  executor.run_until(executor.now() + seconds(1));
  EXPECT_TRUE(shows("workqueue_work_duration_seconds_sum{name=\"demo\"} 3")) << "a rest is no work";
  EXPECT_TRUE(shows("workqueue_unfinished_work_seconds{name=\"demo\"} 0"));
  EXPECT_TRUE(shows("workqueue_retries_total{name=\"demo\"} 1"));
  EXPECT_TRUE(shows("workqueue_adds_total{name=\"demo\"} 2")) << "a key that waits already is not added";
}

}  // namespace
}  // namespace minik::control
