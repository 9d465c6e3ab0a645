// Every scenario of the library holds with its own seed, says what it shows, and is in the table of scenarios/README.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "control/base/text.h"
#include "control/object/yaml.h"
#include "sim/cluster.h"
#include "sim/run.h"
#include "sim/scenario/metric_families.h"

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

// Whether expectations may name whatever the run counts, by the labels that it has.
class KnowsItsMetrics : public RunListener {
 public:
  void on_second(Duration now, SimulatedCluster& cluster) override {
    if (now.ns % minutes(5).ns != 0) return;
    const std::string page = cluster.metrics().text();
    for (const auto sample : split(page, '\n')) {
      if (sample.empty() || sample.front() == '#') continue;
      const auto name = sample.substr(0, sample.find_first_of("{ "));
      const MetricFamily* family = find_metric_family(name);
      ASSERT_TRUE(family) << name;
      const std::string labels = sample.starts_with(cat(name, "{")) ? std::string(sample.substr(name.size() + 1)) : "";
      size_t count = 0;
      for (const auto label : family->labels) count += labels.find(cat(label, "=\"")) != std::string::npos;
      const auto written = static_cast<size_t>(std::ranges::count(labels, '=')) - (labels.starts_with("le=") || labels.find(",le=") != std::string::npos);
      EXPECT_EQ(count, family->labels.size()) << sample;
      EXPECT_EQ(written, family->labels.size()) << sample;
    }
  }
};

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
  KnowsItsMetrics metrics;
  options.listeners.push_back(&metrics);
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

TEST_P(Library, StandsInTheTableInItsOwnWords) {
  const auto document = control::parse_yaml(read(cat("scenarios/", GetParam(), ".yaml")));
  ASSERT_TRUE(document);
  const control::Value& metadata = (*document)[0].value.get("metadata");
  EXPECT_NE(read("scenarios/README.md").find(cat("| ", GetParam(), ".yaml | ", metadata.get("description").string(), " | ", metadata.get("source").string(), " |\n")),
            std::string::npos)
      << metadata.get("description").string();
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Library, ::testing::ValuesIn(library()), [](const auto& of) {
  std::string name = of.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
}  // namespace minik::sim
