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

}  // namespace
}  // namespace minik::control
