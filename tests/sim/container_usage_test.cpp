// What simulated containers are charged of the processors: what they used, when they used it, and no more than they may.
#include "sim/simulated_runtime.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "sim/virtual_executor.h"

namespace minik::sim {
namespace {

using control::ContainerConfig;
using control::ContainerStats;

class ContainerUsage : public ::testing::Test {
 protected:
  ContainerUsage() {
    ImageBehaviour loaded, busy;
    loaded.match = "web:*";
    busy.match = "busy:*";
    busy.milli_cpu = 3000;
    for (auto* image : {&loaded, &busy}) image->start = Distribution::fixed(seconds(1));
    surroundings = std::make_unique<Surroundings>(std::vector{loaded, busy});
    a = machine("a");
    b = machine("b");
  }
  std::unique_ptr<SimulatedRuntime> machine(const std::string& name) {
    return std::make_unique<SimulatedRuntime>(executor, Rng(1), *surroundings, name, 0x0af40100);
  }
  void pass(Duration time) { executor.run_until(executor.now() + time); }
  // Runs when a second has gone by.
  std::string start(SimulatedRuntime& on, const std::string& image, int64_t milli_cpu_limit = 0) {
    std::string id;
    on.run_pod_sandbox({}, [&](Result<control::PodSandboxStatus> sandbox) {
      ContainerConfig config;
      config.image = image;
      config.resources.cpu_period_us = 100'000;
      config.resources.cpu_quota_us = milli_cpu_limit * 100;
      on.create_container(sandbox->id, config, [&](Result<std::string> made) {
        id = *made;
        on.start_container(id, [](Result<control::ContainerStatus>) {});
      });
    });
    pass(seconds(2));
    return id;
  }
  void load(int64_t milli_cpu) {
    surroundings->loads[0].settle();
    surroundings->loads[0].milli_cpu = milli_cpu;
  }
  // Milliseconds of a CPU that it has used since the last time that this was asked of it.
  int64_t used(SimulatedRuntime& on, const std::string& id) {
    int64_t ns = 0;
    on.stats([&](Result<std::vector<ContainerStats>> all) {
      for (const auto& stats : *all) {
        if (stats.id == id) ns = stats.cpu_usage_ns;
      }
    });
    executor.run_until(executor.now() + nanoseconds(1));
    return (ns - std::exchange(known[id], ns)) / 1'000'000;
  }

  VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  std::unique_ptr<Surroundings> surroundings;
  std::unique_ptr<SimulatedRuntime> a, b;
  std::map<std::string, int64_t> known;
};

TEST_F(ContainerUsage, ALoadIsChargedFromItsBeginningToItsEndWhoeverLooksWhen) {
  const auto web = start(*a, "web:1");
  used(*a, web);
  pass(seconds(10));
  load(2000);
  EXPECT_EQ(used(*a, web), 0) << "the ten seconds before it were idle";
  pass(seconds(3));
  load(0);
  pass(seconds(10));
  EXPECT_EQ(used(*a, web), 6000) << "of a burst between two looks";
}

TEST_F(ContainerUsage, WhoJoinsALoadTakesNothingOffThePastOfTheOthers) {
  const auto first = start(*a, "web:1");
  used(*a, first);
  load(1000);
  pass(seconds(10));
  const auto second = start(*b, "web:1");
  pass(seconds(10));
  const int64_t alone = used(*a, first), shared = used(*b, second);
  EXPECT_NEAR(static_cast<double>(alone + shared), 22'000, 5) << "together they have had the whole of it";
  EXPECT_GT(alone, 16'000);
  // And when its machine dies, the other has all of it again.
  b.reset();
  pass(seconds(10));
  EXPECT_EQ(used(*a, first), 10'000);
}

TEST_F(ContainerUsage, NoneUsesMoreThanItsLimit) {
  const auto web = start(*a, "web:1", 200), busy = start(*a, "busy:1", 500);
  load(10'000);
  used(*a, web);
  used(*a, busy);
  pass(seconds(10));
  EXPECT_EQ(used(*a, web), 2000);
  EXPECT_EQ(used(*a, busy), 5000);
  control::ContainerResources more;
  more.cpu_period_us = 100'000;
  more.cpu_quota_us = 40'000;
  a->update_container(web, more, [](Result<Unit>) {});
  pass(seconds(10));
  EXPECT_EQ(used(*a, web), 4000);
}

TEST_F(ContainerUsage, TogetherTheyUseNoMoreThanTheMachineHas) {
  a->set_cpu_capacity(4000);
  const auto web = start(*a, "web:1"), busy = start(*a, "busy:1");
  load(5000);
  used(*a, web);
  used(*a, busy);
  pass(seconds(8));
  EXPECT_EQ(used(*a, web), 20'000) << "five eighths of four";
  EXPECT_EQ(used(*a, busy), 12'000);
}

}  // namespace
}  // namespace minik::sim
