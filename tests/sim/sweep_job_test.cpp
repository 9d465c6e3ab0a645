#include "sim/sweep_job.h"

#include <gtest/gtest.h>

#include "control/object/yaml.h"

namespace minik::sim {
namespace {

TEST(SweepShards, TogetherCoverEverySeedOnce) {
  for (const auto& [first, last, count] : {std::tuple<uint64_t, uint64_t, uint64_t>{0, 99, 7}, {5, 9, 8}, {3, 3, 1}, {0, 15, 16}}) {
    std::vector<uint64_t> seen;
    for (uint64_t i = 0; i < count; ++i) {
      const auto shard = shard_of({first, last}, i, count);
      if (!shard) continue;
      for (uint64_t seed = shard->first; seed <= shard->last; ++seed) seen.push_back(seed);
    }
    ASSERT_EQ(seen.size(), last - first + 1) << count;
    for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], first + i);
  }
}

TEST(SweepShards, TakeAllSixtyFourBitsOfSeeds) {
  const auto last = shard_of({0, UINT64_MAX}, 2, 3);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->last, UINT64_MAX);
}

TEST(SweepJob, IsAConfigMapAndAnIndexedJobWhosePodsRunTheirShare) {
  const auto text = job_manifest({"sweep-x", "kind: Scenario\n", "registry/minik:1", "0..99", 4, 4, false});
  ASSERT_TRUE(text);
  const auto documents = control::parse_yaml(*text);
  ASSERT_TRUE(documents) << documents.error().message;
  ASSERT_EQ(documents->size(), 2U);
  EXPECT_EQ((*documents)[0].value.get("data").get("scenario.yaml").as_string(), "kind: Scenario\n");
  const auto& spec = (*documents)[1].value.get("spec");
  EXPECT_EQ(spec.get("completionMode").as_string(), "Indexed");
  EXPECT_EQ(spec.get("completions").as_int(), 4);
  std::vector<std::string> args;
  const auto& pod = spec.get("template").get("spec");
  for (const auto& arg : pod.get("containers").items()[0].get("args").items()) args.push_back(arg.string());
  EXPECT_EQ(join(args, " "), "sim sweep /scenario/scenario.yaml --seeds 0..99 --shard $(INDEX)/4 --jobs 1 --results - --exit-zero");
}

TEST(SweepJob, RefusesAScenarioThatNoConfigMapTakes) {
  EXPECT_FALSE(job_manifest({"s", std::string(1 << 20, 'x'), "i", "0..1", 1, 1, false}).ok());
}

SeedResult result(uint64_t seed, std::string hash) {
  SeedResult made;
  made.seed = seed;
  made.trace_hash = std::move(hash);
  made.scenario = "this";
  return made;
}

TEST(MergedResults, AreFoundAmongOtherLinesOfLogsEachSeedOnce) {
  const std::string logs = "[pod/sweep-0-abc/sweep] " + write_result(result(7, "aa")) + "\nsomething else {\n\n" +
                           write_result(result(3, "bb")) + "\n" + write_result(result(7, "aa")) + "\n2 of 2 seeds passed\n";
  const auto merged = merge_results(logs, "", {0, 9});
  ASSERT_EQ(merged.results.size(), 2U);
  EXPECT_EQ(merged.results[0].seed, 3U);
  EXPECT_EQ(merged.ignored_lines, 2U);
  EXPECT_TRUE(merged.disagreeing.empty());
}

TEST(MergedResults, NameASeedThatTwoMachinesRanDifferently) {
  const auto merged = merge_results(write_result(result(7, "aa")) + "\n" + write_result(result(7, "bb")), "this", {0, 9});
  EXPECT_EQ(merged.disagreeing, std::vector<uint64_t>{7});
}

TEST(MergedResults, PreferARunThatCameToItsEnd) {
  auto killed = broken_result(7, "killed");
  killed.scenario = "this";
  const auto merged = merge_results(write_result(killed) + "\n" + write_result(result(7, "bb")), "this", {0, 9});
  ASSERT_EQ(merged.results.size(), 1U);
  EXPECT_TRUE(merged.results[0].passed());
  EXPECT_TRUE(merged.disagreeing.empty());
}

TEST(MergedResults, AreThoseOfThisScenarioAndOfTheSeedsThatWereAskedFor) {
  SeedResult nameless = result(4, "aa");
  nameless.scenario.clear();
  const std::string logs = write_result(result(3, "aa")) + "\n" + write_result(result(12, "aa")) + "\n" + write_result(nameless) + "\n";
  const auto merged = merge_results(logs, "this", {0, 9});
  EXPECT_EQ(merged.unasked, std::vector<uint64_t>{12});
  EXPECT_EQ(merged.foreign, std::vector<uint64_t>{4});
  EXPECT_EQ(merged.results.size(), 1U);
  EXPECT_EQ(merge_results(logs, "another", {0, 9}).foreign, (std::vector<uint64_t>{3, 4, 12}));
}

TEST(MergedResults, LeaveNoSeedOut) {
  EXPECT_EQ(missing_seeds({result(3, "a"), result(5, "b")}, {2, 8}, 100), (std::vector<uint64_t>{2, 4, 6, 7, 8}));
  EXPECT_EQ(missing_seeds({}, {0, UINT64_MAX}, 2), (std::vector<uint64_t>{0, 1}));
  EXPECT_TRUE(missing_seeds({result(UINT64_MAX, "a")}, {UINT64_MAX, UINT64_MAX}, 2).empty());
  EXPECT_EQ(seeds_text({2, 4, 6, 7, 8}), "2, 4, 6..8");
}

}  // namespace
}  // namespace minik::sim
