#include "sim/swarm.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "control/object/yaml.h"
#include "sim/run.h"
#include "sim/scenario/parts.h"

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

TEST(Swarm, DrawsEveryFaultThatAScenarioMayName) {
  std::set<std::string_view> left(fault_names().begin(), fault_names().end());
  for (uint64_t seed = 0; seed < 2'000 && !left.empty(); ++seed) {
    const control::Value scenario = swarm_scenario(seed);
    for (const auto& fault : scenario.get("spec").get("faults").items()) {
      for (const auto& entry : fault.entries()) left.erase(entry.key.text());
    }
  }
  EXPECT_TRUE(left.empty()) << *left.begin() << " is never drawn";
}

// Whatever is drawn can be lived through.
TEST(Swarm, ComesToRest) {
  const char* many = std::getenv("MINIK_SEEDS");
  for (uint64_t seed = 0; seed < (many ? 1'000 : 10); ++seed) {
    const auto scenario = drawn(seed);
    ASSERT_TRUE(scenario);
    RunOptions options;
    options.seed = seed;
    const auto outcome = run_scenario(*scenario, options);
    ASSERT_TRUE(outcome);
    for (const auto& finding : outcome->findings) EXPECT_TRUE(finding.held) << "minik sim run --swarm --seed " << seed << ": " << finding.what << ": " << finding.detail;
  }
}

}  // namespace
}  // namespace minik::sim
