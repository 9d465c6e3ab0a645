#include "minik/process/worker_pool.h"

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "minik/process/asio_executor.h"

namespace minik {
namespace {

TEST(WorkerPool, WorksElsewhereAndComesBackToTheExecutor) {
  AsioExecutor executor;
  WorkerPool pool(executor, {});
  std::thread::id worked, returned;
  ASSERT_TRUE(pool.run([&] { worked = std::this_thread::get_id(); },
                       [&] {
                         returned = std::this_thread::get_id();
                         executor.stop();
                       }));
  executor.run();
  EXPECT_EQ(returned, std::this_thread::get_id());
  EXPECT_NE(worked, returned);
}

TEST(WorkerPool, CarriesAValueBack) {
  AsioExecutor executor;
  WorkerPool pool(executor, {});
  std::string text;
  ASSERT_TRUE(pool.run_for([] { return Result<std::string>("done"); },
                           [&](Result<std::string> result) {
                             text = *result;
                             executor.stop();
                           }));
  executor.run();
  EXPECT_EQ(text, "done");
}

TEST(WorkerPool, StartsAThreadForWorkThatOthersWouldHoldUp) {
  AsioExecutor executor;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  WorkerPool pool(executor, {.threads = 20});
  for (int i = 0; i < 19; ++i) ASSERT_TRUE(pool.run([released] { released.wait(); }, [] {}));
  ASSERT_TRUE(pool.run([&] { release.set_value(); }, [&] { executor.stop(); }));
  executor.run();
}

TEST(WorkerPool, RefusesWhatDoesNotFitItsQueue) {
  AsioExecutor executor;
  std::promise<void> release, started;
  WorkerPool pool(executor, {.threads = 1, .queue_max = 2});
  ASSERT_TRUE(pool.run(
      [&] {
        started.set_value();
        release.get_future().wait();
      },
      [] {}));
  started.get_future().wait();
  EXPECT_TRUE(pool.run([] {}, [] {}));
  EXPECT_TRUE(pool.run([] {}, [&] { executor.stop(); }));
  const Status refused = pool.run([] {}, [] {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kTooManyRequests);
  release.set_value();
  executor.run();
}

TEST(WorkerPool, WaitsAtItsEndForWorkThatHasStarted) {
  AsioExecutor executor;
  std::promise<void> started, release;
  bool finished = false;
  std::thread releaser;
  {
    WorkerPool pool(executor, {.threads = 1, .queue_max = 8});
    ASSERT_TRUE(pool.run(
        [&] {
          started.set_value();
          release.get_future().wait();
          finished = true;
        },
        [] {}));
    started.get_future().wait();
    releaser = std::thread([&] { release.set_value(); });
  }
  EXPECT_TRUE(finished);
  releaser.join();
}

}  // namespace
}  // namespace minik
