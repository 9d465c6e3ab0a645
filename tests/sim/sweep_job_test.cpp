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
  return made;
}

TEST(MergedResults, AreFoundAmongOtherLinesOfLogsEachSeedOnce) {
  const std::string logs = "[pod/sweep-0-abc/sweep] " + write_result(result(7, "aa")) + "\nsomething else {\n\n" +
                           write_result(result(3, "bb")) + "\n" + write_result(result(7, "aa")) + "\n2 of 2 seeds passed\n";
  const auto merged = merge_results(logs);
  ASSERT_EQ(merged.results.size(), 2U);
  EXPECT_EQ(merged.results[0].seed, 3U);
  EXPECT_EQ(merged.ignored_lines, 2U);
  EXPECT_TRUE(merged.disagreeing.empty());
}

TEST(MergedResults, NameASeedThatTwoMachinesRanDifferently) {
  const auto merged = merge_results(write_result(result(7, "aa")) + "\n" + write_result(result(7, "bb")));
  EXPECT_EQ(merged.disagreeing, std::vector<uint64_t>{7});
}

TEST(MergedResults, PreferARunThatCameToItsEnd) {
  const auto merged = merge_results(write_result(broken_result(7, "killed")) + "\n" + write_result(result(7, "bb")));
  ASSERT_EQ(merged.results.size(), 1U);
  EXPECT_TRUE(merged.results[0].passed());
  EXPECT_TRUE(merged.disagreeing.empty());
}

}  // namespace
}  // namespace minik::sim
