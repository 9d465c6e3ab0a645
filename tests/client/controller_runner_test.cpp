#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/client/controller.h"
#include "control/schema/kinds.h"
#include "scripted_client.h"
#include "sim/virtual_executor.h"

namespace minik::control {
namespace {

class ControllerRunnerTest : public ::testing::Test {
 protected:
  // A controller that plans these writes whenever it looks, until `satisfied`.
  void start(size_t writes, bool independent) {
    start([writes, independent](const Snapshot& snapshot) {
      Plan plan;
      for (size_t i = snapshot.cache(kinds::kConfigmaps).size(); i < writes; ++i) {
        auto& write = plan.create(kinds::kConfigmaps, object_named(cat("c", i), 0));
        write.independent = independent;
        write.counts.push_back({"test_writes_total", "Writes.", {{"status", "succeeded"}}});
        write.failure_counts.push_back({"test_writes_total", "Writes.", {{"status", "failed"}}});
      }
      return plan;
    });
  }
  void start(std::function<Plan(const Snapshot&)> decide) {
    ControllerSpec spec;
    spec.name = "test";
    spec.kind = kinds::kConfigmaps;
    spec.watches = {{kinds::kConfigmaps, nullptr, {}}};
    spec.decide = [this, decide](const Snapshot& snapshot, const ObjectKey&, Env&) {
      ++looks;
      return decide(snapshot);
    };
    runner = std::make_unique<ControllerRunner>(std::move(spec), executor, client, informers,
                                                events, metrics, Rng(1));
    runner->start();
    informers.start();
    client.answer_lists_empty();
    runner->enqueue({"default", "all"});
    settle();
  }
  void settle() { executor.run_until(executor.now() + milliseconds(20)); }
  void succeed(std::string_view name, int64_t revision) {
    client.answer(ApiResponse{object_named(name, revision), true, false, {}});
  }

  sim::VirtualExecutor executor{1, WallTime{}};
  ScriptedClient client;
  InformerSet informers{executor, client, Rng(1)};
  EventRecorder events{executor, client, kinds::kEvents, "test", "", Rng(1)};
  MetricRegistry metrics;
  std::unique_ptr<ControllerRunner> runner;
  int looks = 0;
};

TEST_F(ControllerRunnerTest, LooksAgainOnlyAfterTheSlowWatchHasShownItsWrites) {
  start(1, false);
  ASSERT_EQ(client.pending.size(), 1U);
  succeed("c0", 7);
  runner->enqueue({"default", "all"});
  executor.run_until(executor.now() + seconds(20));
  EXPECT_EQ(looks, 1);
  client.tell(kinds::kConfigmaps, WatchEventType::kAdded, object_named("c0", 7));
  settle();
  EXPECT_EQ(looks, 2);
  EXPECT_TRUE(client.pending.empty());
  EXPECT_TRUE(runner->idle());
}

TEST_F(ControllerRunnerTest, GoesOnByTheAnswersWhateverTheyAre) {
  std::string heard;
  start([&](const Snapshot&) {
    Plan plan;
    for (const auto* name : {"c0", "c1"}) plan.create(kinds::kConfigmaps, object_named(name, 0));
    plan.then = [&](const Snapshot&, Env&, const Plan::Answers& answers) {
      for (const auto& answer : answers) heard += answer ? cat(object_name(answer->object), " ") : answer.error().message + " ";
      Plan next;
      next.create(kinds::kConfigmaps, object_named("c2", 0));
      return next;
    };
    return plan;
  });
  client.answer(Error(ErrorCode::kForbidden, "refused"));
  succeed("c1", 7);
  EXPECT_EQ(heard, "refused c1 ");
  ASSERT_EQ(client.pending.size(), 1U);
  EXPECT_EQ(object_name(client.pending.front().request.body), "c2");
  succeed("c2", 8);
  runner->enqueue({"default", "all"});
  settle();
  EXPECT_EQ(looks, 1) << "its writes have not come back yet";
  client.tell(kinds::kConfigmaps, WatchEventType::kAdded, object_named("c2", 8));
  settle();
  EXPECT_EQ(looks, 2);
}

TEST_F(ControllerRunnerTest, GoesOnWithoutTheCacheAfterThirtySeconds) {
  start(1, false);
  succeed("c0", 7);
  runner->enqueue({"default", "all"});
  executor.run_until(executor.now() + seconds(31));
  EXPECT_EQ(looks, 2);
}

TEST_F(ControllerRunnerTest, WaitsForNothingAfterADeletionThatFoundNothing) {
  ControllerSpec spec;
  spec.name = "test";
  spec.kind = kinds::kConfigmaps;
  spec.watches = {{kinds::kConfigmaps, nullptr, {}}};
  spec.decide = [this](const Snapshot&, const ObjectKey&, Env&) {
    Plan plan;
    if (++looks > 1) return plan;
    PlannedWrite write;
    write.request.verb = Verb::kDeleteCollection;
    write.request.kind = kinds::kConfigmaps;
    plan.writes.push_back(std::move(write));
    return plan;
  };
  runner = std::make_unique<ControllerRunner>(std::move(spec), executor, client, informers, events, metrics, Rng(1));
  runner->start();
  informers.start();
  client.answer_lists_empty();
  runner->enqueue({"default", "all"});
  settle();
  ASSERT_EQ(client.pending.size(), 1U);
  Value nothing = Value::map({{"metadata", Value::map({{"resourceVersion", "9"}})}, {"items", Value::array({})}});
  client.answer(ApiResponse{std::move(nothing), false, false, {}});
  runner->enqueue({"default", "all"});
  settle();
  EXPECT_EQ(looks, 2);
  EXPECT_TRUE(runner->idle());
}

TEST_F(ControllerRunnerTest, KnowsItsEarlierWritesWhenALaterOneFailed) {
  start(2, false);
  succeed("c0", 7);
  client.answer(Error(ErrorCode::kForbidden, "exceeded quota"));
  executor.run_until(executor.now() + seconds(5));
  EXPECT_EQ(looks, 1);
  client.tell(kinds::kConfigmaps, WatchEventType::kAdded, object_named("c0", 7));
  settle();
  EXPECT_EQ(looks, 2);
  EXPECT_EQ(client.pending.size(), 1U);
}

TEST_F(ControllerRunnerTest, CountsEachWriteByHowItEnded) {
  start(2, false);
  succeed("c0", 7);
  client.answer(Error(ErrorCode::kForbidden, "exceeded quota"));
  const std::string page = metrics.text();
  EXPECT_NE(page.find("test_writes_total{status=\"succeeded\"} 1\n"), std::string::npos);
  EXPECT_NE(page.find("test_writes_total{status=\"failed\"} 1\n"), std::string::npos);
}

TEST_F(ControllerRunnerTest, SendsDependentWritesOneAfterAnother) {
  start(3, false);
  for (int i = 0; i < 3; ++i) {
    ASSERT_EQ(client.pending.size(), 1U);
    succeed(cat("c", i), 7 + i);
  }
  EXPECT_TRUE(client.pending.empty());
}

TEST_F(ControllerRunnerTest, SendsIndependentWritesTogetherButStartsSlowly) {
  start(10, true);
  EXPECT_EQ(client.pending.size(), 1U);
  succeed("c0", 7);
  EXPECT_EQ(client.pending.size(), 2U);
  succeed("c1", 8);
  succeed("c2", 9);
  EXPECT_EQ(client.pending.size(), 4U);
}

TEST_F(ControllerRunnerTest, AsksOnceWhereThirtyWouldBeRefused) {
  start(30, true);
  client.answer(Error(ErrorCode::kForbidden, "exceeded quota"));
  EXPECT_TRUE(client.pending.empty());
}

TEST_F(ControllerRunnerTest, MayBeDestroyedWithWritesInFlight) {
  start(10, true);
  auto done = std::move(client.pending.front().done);
  runner.reset();
  done(ApiResponse{object_named("c0", 7), true, false, {}});
  settle();
  EXPECT_EQ(looks, 1);
}

}  // namespace
}  // namespace minik::control
