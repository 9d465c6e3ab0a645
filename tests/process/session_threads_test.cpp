#include "minik/process/session_threads.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>

namespace minik {
namespace {

TEST(SessionThreads, WakesAndWaitsForAllAndTakesNoMore) {
  SessionThreads threads;
  std::atomic<int> ended{0};
  threads.run([&] {
    while (threads.pause(hours(1))) {
    }
    ++ended;
  });
  threads.run([&] {
    pollfd stop{threads.stop(), POLLIN, 0};
    poll(&stop, 1, -1);
    ++ended;
  });
  threads.end();
  EXPECT_EQ(ended, 2);
  threads.run([&] { ++ended; });
  threads.end();
  EXPECT_EQ(ended, 2);
}

}  // namespace
}  // namespace minik
