#include "minik/net/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "control/base/text.h"
#include "minik/net/timer_heap.h"

namespace minik {
namespace {

TEST(EventLoop, RunsTimersInOrderOfTheirDeadlinesAndNeverEarly) {
  EventLoop loop;
  std::string order;
  const Instant start = loop.now();
  loop.after(milliseconds(20), [&] {
    order += "c";
    EXPECT_GE(loop.now() - start, milliseconds(20));
    loop.stop();
  });
  loop.after(milliseconds(5), [&] { order += "b"; });
  loop.after(seconds(-1), [&] { order += "a"; });
  loop.run();
  EXPECT_EQ(order, "abc");
}

TEST(EventLoop, NeverFiresACancelledTimer) {
  EventLoop loop;
  std::string order;
  const TimerId first = loop.after(milliseconds(1), [&] { order += "x"; });
  TimerId second;
  loop.after(milliseconds(2), [&] { loop.cancel(second); });
  second = loop.after(milliseconds(2), [&] { order += "y"; });
  loop.after(milliseconds(4), [&] { loop.stop(); });
  loop.cancel(first);
  loop.cancel(first);
  loop.cancel(TimerId{});
  loop.run();
  EXPECT_EQ(order, "");
}

TEST(EventLoop, ACancelledIdDoesNotReachTheTimerThatReusesItsSlot) {
  EventLoop loop;
  bool fired = false;
  const TimerId old = loop.after(seconds(10), [] {});
  loop.cancel(old);
  loop.after(milliseconds(1), [&] {
    fired = true;
    loop.stop();
  });
  loop.cancel(old);
  loop.run();
  EXPECT_TRUE(fired);
}

TEST(EventLoop, TakesTasksFromOtherThreadsInTheOrderOfEachThread) {
  EventLoop loop;
  std::vector<std::vector<int>> seen(4);
  int left = 4 * 1000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        loop.post([&, t, i] {
          seen[static_cast<size_t>(t)].push_back(i);
          if (--left == 0) loop.stop();
        });
      }
    });
  }
  loop.run();
  for (auto& thread : threads) thread.join();
  for (const auto& numbers : seen) {
    ASSERT_EQ(numbers.size(), 1000u);
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
  }
}

TEST(EventLoop, UsesNoProcessorTimeWhileItWaits) {
  EventLoop loop;
  for (int i = 0; i < 1000; ++i) loop.after(hours(1), [] {});
  rusage before{}, after{};
  getrusage(RUSAGE_SELF, &before);
  loop.after(milliseconds(50), [&] { loop.stop(); });
  loop.run();
  getrusage(RUSAGE_SELF, &after);
  const auto switches = after.ru_nvcsw - before.ru_nvcsw;
  EXPECT_LT(switches, 20) << "the loop wakes up while nothing is due";
}

TEST(TimerHeap, KeepsTheOrderOfAHundredThousandTimersWithCancellationsBetween) {
  TimerHeap heap;
  std::vector<TimerId> ids;
  uint64_t state = 1;
  int64_t last = -1;
  for (int i = 0; i < 100'000; ++i) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    const auto deadline = static_cast<int64_t>(state >> 40);
    ids.push_back(heap.add(Instant{deadline}, [&last, deadline] {
      EXPECT_LE(last, deadline);
      last = deadline;
    }));
  }
  for (size_t i = 0; i < ids.size(); i += 3) heap.cancel(ids[i]);
  size_t fired = 0;
  while (const Task task = heap.take_due(Instant{INT64_MAX})) {
    task();
    ++fired;
  }
  EXPECT_EQ(fired, 66'666u);
  EXPECT_EQ(heap.size(), 0u);
}

TEST(FdWatch, TellsOnceWhenAPipeHasBytes) {
  EventLoop loop;
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
  int calls = 0;
  {
    FdWatch watch(loop, pipe_fds[0]);
    watch.wait_readable([&] { ++calls; });
    loop.post([&] {
      EXPECT_EQ(calls, 0);
      EXPECT_EQ(write(pipe_fds[1], "x", 1), 1);
      loop.after(milliseconds(5), [&] { loop.stop(); });
    });
    loop.run();
  }
  EXPECT_EQ(calls, 1);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST(FdWatch, MayBeDestroyedByItsOwnCallback) {
  EventLoop loop;
  int pipe_fds[2];
  ASSERT_EQ(pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC), 0);
  auto watch = std::make_unique<FdWatch>(loop, pipe_fds[1]);
  watch->wait_writable([&] {
    watch.reset();
    close(pipe_fds[1]);
    loop.stop();
  });
  loop.run();
  EXPECT_EQ(watch, nullptr);
  close(pipe_fds[0]);
}

TEST(FdWatch, TakesARegularFileAsAlwaysReady) {
  EventLoop loop;
  const int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  bool ready = false;
  {
    FdWatch watch(loop, fd);
    watch.wait_readable([&] {
      ready = true;
      loop.stop();
    });
    loop.run();
  }
  EXPECT_TRUE(ready);
  close(fd);
}

}  // namespace
}  // namespace minik
