// Every scenario of the library holds with its own seed, says what it shows, and is in the table of scenarios/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "control/base/text.h"
#include "sim/run.h"

namespace minik::sim {
namespace {

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::vector<std::string> library() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("scenarios")) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem());
  }
  std::ranges::sort(names);
  return names;
}

RunOutcome run(const std::string& name, std::optional<uint64_t> seed = {}) {
  const std::string path = cat("scenarios/", name, ".yaml");
  const ScenarioFiles files{[](const std::string& file) -> Result<std::string> { return read(cat("scenarios/", file)); }};
  const auto scenario = parse_scenario(read(path), path, files);
  EXPECT_TRUE(scenario.ok()) << (scenario ? "" : scenario.error().message);
  if (!scenario) return {};
  EXPECT_EQ(scenario->name, name);
  EXPECT_FALSE(scenario->description.empty());
  EXPECT_FALSE(scenario->expectations.empty());
  RunOptions options;
  options.seed = seed.value_or(scenario->seed);
  const auto outcome = run_scenario(*scenario, options);
  EXPECT_TRUE(outcome.ok());
  return outcome ? *outcome : RunOutcome{};
}

void expect_all_held(const RunOutcome& outcome) {
  EXPECT_FALSE(outcome.findings.empty());
  for (const auto& finding : outcome.findings) {
    EXPECT_TRUE(finding.held) << finding.what << " (at " << format_duration(finding.at) << "): " << finding.detail;
  }
}

class Library : public ::testing::TestWithParam<std::string> {};

TEST_P(Library, HoldsWithItsOwnSeed) { expect_all_held(run(GetParam())); }

// An answer that came after the news of a later write hid that write from the node agent, for good.
TEST(SeedsThatFoundBugs, APodThatSomebodyElseMarkedUnreadyIsSaidToBeReadyAnew) { expect_all_held(run("a-bad-day", 5)); }

TEST_P(Library, StandsInTheTable) {
  EXPECT_NE(read("scenarios/README.md").find(cat("| ", GetParam(), ".yaml | ")), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Library, ::testing::ValuesIn(library()), [](const auto& of) {
  std::string name = of.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace minik::sim
