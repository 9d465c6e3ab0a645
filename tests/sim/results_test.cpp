#include "sim/results.h"

#include <gtest/gtest.h>

namespace minik::sim {
namespace {

RunOutcome outcome_of(std::vector<Finding> findings) {
  RunOutcome outcome;
  outcome.findings = std::move(findings);
  outcome.trace_hash = "abc";
  outcome.writes = 12;
  outcome.virtual_time = seconds(90);
  return outcome;
}

TEST(SweepResults, ComeBackAsTheyWereWritten) {
  auto result = result_of(UINT64_MAX, outcome_of({{"ready", true, seconds(1), ""}, {"stays", false, seconds(2), "a \"b\"\n"}}));
  result.scenario = "abc";
  const std::string line = write_result(result);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const auto again = read_result(line);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->seed, UINT64_MAX);
  EXPECT_EQ(again->scenario, "abc");
  ASSERT_EQ(again->failed.size(), 1U);
  EXPECT_EQ(again->failed[0].detail, "a \"b\"\n");
  EXPECT_EQ(write_result(*again), line);
  EXPECT_FALSE(again->passed());
}

TEST(SweepResults, RefuseWhatIsNone) {
  for (const auto* line : {"", "{}", "[]", R"({"seed":"x","failed":[]})", R"({"seed":"1"})"}) {
    EXPECT_FALSE(read_result(line).ok()) << line;
  }
}

TEST(SweepResults, NameWhatFailsMostAndItsFirstSeed) {
  std::vector<SeedResult> results;
  results.push_back(result_of(9, outcome_of({{"a", false, {}, "nine"}, {"b", false, {}, ""}})));
  results.push_back(result_of(4, outcome_of({{"a", false, {}, "four"}})));
  results.push_back(result_of(5, outcome_of({{"a", true, {}, ""}})));
  const auto failures = failures_of(results);
  ASSERT_EQ(failures.size(), 2U);
  EXPECT_EQ(failures[0].what, "a");
  EXPECT_EQ(failures[0].times, 2U);
  EXPECT_EQ(failures[0].first_seed, 4U);
  EXPECT_EQ(failures[0].detail, "four");
}

TEST(SweepResults, AreJUnitThatAnyXmlReaderTakes) {
  const auto page = junit_of_sweep("s", "f.yaml", {result_of(1, outcome_of({{"<a> & b", false, seconds(2), "\x01"}})),
                                                   result_of(2, outcome_of({}))});
  EXPECT_EQ(page,
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"s\" tests=\"2\" failures=\"1\">\n"
            "  <testcase classname=\"s\" name=\"seed 1\">\n    <failure message=\"&lt;a&gt; &amp; b: ? (at 2s)\n"
            "reproduce: minik sim run f.yaml --seed 1\"/>\n  </testcase>\n"
            "  <testcase classname=\"s\" name=\"seed 2\"/>\n</testsuite>\n");
}

}  // namespace
}  // namespace minik::sim
