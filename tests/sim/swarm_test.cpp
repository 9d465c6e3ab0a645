#include "sim/swarm.h"

#include <gtest/gtest.h>

#include <set>

#include "control/object/yaml.h"
#include "sim/run.h"

namespace minik::sim {
namespace {

Result<Scenario> drawn(uint64_t seed) { return parse_scenario(control::to_yaml(swarm_scenario(seed)), cat("swarm-", seed)); }

TEST(Swarm, DrawsValidScenariosThatDiffer) {
  std::set<std::string> texts;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const auto scenario = drawn(seed);
    ASSERT_TRUE(scenario) << scenario.error().message;
    EXPECT_FALSE(scenario->faults.empty()) << seed;
    texts.insert(control::to_yaml(swarm_scenario(seed)));
  }
  EXPECT_EQ(texts.size(), 300U);
}

TEST(Swarm, DrawsTheSameScenarioAndRunForOneSeed) {
  EXPECT_EQ(swarm_scenario(11), swarm_scenario(11));
  const auto scenario = drawn(11);
  ASSERT_TRUE(scenario);
  RunOptions options;
  options.seed = 11;
  const auto first = run_scenario(*scenario, options), second = run_scenario(*scenario, options);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->trace_hash, second->trace_hash);
}

// Found by a sweep: whoever finds the API server away comes back later, and an object that is still being applied is there
// then.
TEST(Swarm, ActionsWaitForAServerThatIsAwayAndForWhatIsStillBeingApplied) {
  for (const uint64_t seed : {49U, 77U}) {
    const auto scenario = drawn(seed);
    ASSERT_TRUE(scenario);
    RunOptions options;
    options.seed = seed;
    const auto outcome = run_scenario(*scenario, options);
    ASSERT_TRUE(outcome);
    EXPECT_TRUE(outcome->passed()) << seed;
  }
}

}  // namespace
}  // namespace minik::sim
