// Who waits for whom: requests of several flows and levels on an executor that the test turns by hand.
#include "minik/net/fair_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/base/text.h"

namespace minik {
namespace {

using ::testing::ElementsAre;
using ::testing::Lt;

class TurnedExecutor final : public Executor {
 public:
  Instant now() const override { return {}; }
  WallTime wall_now() const override { return {}; }
  void post(Task task) override { tasks_.push_back(std::move(task)); }
  TimerId after(Duration, Task) override { return {}; }
  void cancel(TimerId) override {}
  void turn() {
    for (const Task& task : std::exchange(tasks_, {})) task();
  }
  void run() {
    while (!tasks_.empty()) turn();
  }

 private:
  std::vector<Task> tasks_;
};

class Fairness : public ::testing::Test {
 protected:
  static std::shared_ptr<const control::PriorityLevel> level(std::string name, int64_t shares, int64_t line) {
    return std::make_shared<const control::PriorityLevel>(control::PriorityLevel{name, "", false, shares, line});
  }
  static std::shared_ptr<const control::PriorityLevel> exempt() {
    return std::make_shared<const control::PriorityLevel>(control::PriorityLevel{"exempt", "", true, 0, 0});
  }
  bool ask(const std::shared_ptr<const control::PriorityLevel>& of, const std::string& flow, int64_t seats = 1) {
    return queue->submit({of, "", "", flow}, 100, seats, [this, flow](FairQueue::Seat seat) {
      served.push_back(flow);
      if (keep_seats) kept.push_back(std::move(seat));
    });
  }

  TurnedExecutor executor;
  FairQueueLimits limits{.seats = 100, .seats_per_turn = 4, .long_running_max = 3, .long_running_per_user_max = 2};
  std::shared_ptr<FairQueue> queue = std::make_shared<FairQueue>(executor, limits);
  std::vector<std::string> served;
  std::vector<FairQueue::Seat> kept;
  bool keep_seats = false;
};

TEST_F(Fairness, ServesWhoAsksOnceBeforeTheRestOfWhoAsksAThousandTimes) {
  for (int i = 0; i < 1000; ++i) ask(exempt(), "greedy");
  ask(exempt(), "modest");
  executor.turn();
  EXPECT_THAT(served, ElementsAre("greedy", "modest", "greedy", "greedy"));
}

TEST_F(Fairness, ServesEveryLevelInEveryTurn) {
  for (int i = 0; i < 1000; ++i) ask(exempt(), "administrator");
  ask(level("workload-low", 50, 10), "pod");
  executor.turn();
  EXPECT_EQ(std::ranges::count(served, "pod"), 1);
}

TEST_F(Fairness, TakesNoMoreThanATurnMay) {
  for (int i = 0; i < 10; ++i) ask(exempt(), "greedy");
  executor.turn();
  EXPECT_EQ(served.size(), 4u);
  executor.run();
  EXPECT_EQ(served.size(), 10u);
}

TEST_F(Fairness, LetsTheClustersOwnComponentsActBetweenTwoTurns) {
  for (int i = 0; i < 100; ++i) ask(exempt(), "greedy");
  executor.turn();
  size_t served_before = 0;
  executor.post([&] { served_before = served.size(); });
  executor.run();
  EXPECT_LE(served_before, 8u);
  EXPECT_EQ(served.size(), 100u);
}

TEST_F(Fairness, RefusesWhatItsLineHasNoPlaceFor) {
  keep_seats = true;
  const auto one_seat = level("tiny", 1, 2);
  EXPECT_TRUE(ask(one_seat, "a"));
  executor.run();  // in work: the seat is taken
  EXPECT_TRUE(ask(one_seat, "a"));
  EXPECT_TRUE(ask(one_seat, "a"));
  EXPECT_FALSE(ask(one_seat, "a"));
  EXPECT_TRUE(ask(one_seat, "b")) << "the line of another flow is its own";
  executor.run();
  EXPECT_THAT(served, ElementsAre("a"));
}

TEST_F(Fairness, GoesOnInALevelWhenASeatComesBackAndInOthersMeanwhile) {
  keep_seats = true;
  const auto one_seat = level("tiny", 1, 2);
  ask(one_seat, "first");
  executor.run();
  ask(one_seat, "second");
  ask(level("other", 50, 10), "elsewhere");
  executor.run();
  EXPECT_THAT(served, ElementsAre("first", "elsewhere"));
  kept.clear();
  executor.run();
  EXPECT_THAT(served, ElementsAre("first", "elsewhere", "second"));
}

TEST_F(Fairness, MakesADearRequestWaitForItsFlowsTurns) {
  ask(exempt(), "lists", 3);
  for (int i = 0; i < 3; ++i) ask(exempt(), "reads");
  executor.run();
  EXPECT_THAT(served, ElementsAre("reads", "reads", "lists", "reads"));
}

TEST_F(Fairness, LetsARequestThatIsDearerThanItsLevelRunAlone) {
  ask(level("tiny", 1, 2), "big", 8);
  executor.run();
  EXPECT_THAT(served, ElementsAre("big"));
}

TEST_F(Fairness, LendsIdleSeatsUpToTheBorrowersLimit) {
  keep_seats = true;
  const auto borrower = std::make_shared<const control::PriorityLevel>(control::PriorityLevel{"borrower", "", false, 10, 99, 0, 100});
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(ask(borrower, "b"));
  executor.run();
  EXPECT_EQ(served.size(), 20u) << "ten of its own, and once more as many";
}

TEST_F(Fairness, KeepsWhatALevelDoesNotLendAndUsesNoSeatTwice) {
  keep_seats = true;
  const auto lender = std::make_shared<const control::PriorityLevel>(control::PriorityLevel{"lender", "", false, 60, 99, 50});
  const auto borrower = std::make_shared<const control::PriorityLevel>(control::PriorityLevel{"borrower", "", false, 40, 99, 0, std::nullopt});
  ask(lender, "l");
  executor.run();
  for (int i = 0; i < 100; ++i) ask(borrower, "b");
  executor.run();
  EXPECT_EQ(std::ranges::count(served, "b"), 70) << "all but the thirty that are not lendable";
  for (int i = 0; i < 40; ++i) ask(lender, "l");
  executor.run();
  EXPECT_EQ(std::ranges::count(served, "l"), 30);
  kept.clear();
  executor.run();
  EXPECT_EQ(std::ranges::count(served, "l"), 41) << "what comes back serves whoever waits";
}

TEST_F(Fairness, KeepsNothingForALevelThatIsNoMore) {
  auto gone = level("gone", 60, 99);
  const auto borrower = std::make_shared<const control::PriorityLevel>(control::PriorityLevel{"borrower", "", false, 40, 99, 0, std::nullopt});
  ask(gone, "g");
  executor.run();
  gone.reset();
  keep_seats = true;
  for (int i = 0; i < 99; ++i) ask(borrower, "b");
  executor.run();
  EXPECT_EQ(std::ranges::count(served, "b"), 99);
}

TEST_F(Fairness, LeavesPlacesOfLongRunningRequestsToOtherUsers) {
  auto first = queue->open_long_running("a");
  auto second = queue->open_long_running("a");
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(queue->open_long_running("a"));
  auto others = queue->open_long_running("b");
  EXPECT_TRUE(others);
  EXPECT_FALSE(queue->open_long_running("c")) << "all together have a limit too";
  first.reset();
  executor.run();
  EXPECT_TRUE(queue->open_long_running("c"));
}

TEST_F(Fairness, OutlivesItsQueue) {
  keep_seats = true;
  ask(exempt(), "late");
  auto place = queue->open_long_running("late");
  executor.run();
  queue.reset();
  kept.clear();
  place.reset();
  executor.run();
}

}  // namespace
}  // namespace minik
