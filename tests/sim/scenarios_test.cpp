// Every scenario of the library holds with its own seed, says what it shows, and is in the table of scenarios/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
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

class Library : public ::testing::TestWithParam<std::string> {};

TEST_P(Library, HoldsWithItsOwnSeed) {
  const std::string path = cat("scenarios/", GetParam(), ".yaml");
  const ScenarioFiles files{[](const std::string& name) -> Result<std::string> { return read(cat("scenarios/", name)); }};
  const auto scenario = parse_scenario(read(path), path, files);
  ASSERT_TRUE(scenario.ok()) << scenario.error().message;
  EXPECT_EQ(scenario->name, GetParam());
  EXPECT_FALSE(scenario->description.empty());
  EXPECT_FALSE(scenario->expectations.empty());
  RunOptions options;
  options.seed = scenario->seed;
  const auto outcome = run_scenario(*scenario, options);
  ASSERT_TRUE(outcome.ok()) << outcome.error().message;
  for (const auto& finding : outcome->findings) {
    EXPECT_TRUE(finding.held) << finding.what << " (at " << format_duration(finding.at) << "): " << finding.detail;
  }
}

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
