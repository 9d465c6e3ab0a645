// Which of several possible nodes is the best.
#include "control/scheduler/room.h"
#include "tests/scheduler/scheduler_world.h"

namespace minik::control {
namespace {

using Scores = SchedulerWorld;

Profile profile_of(std::string_view yaml) {
  const auto documents = parse_yaml(yaml);
  CHECK(documents.ok()) << documents.error().message;
  const auto configuration = configuration_from((*documents)[0].value);
  CHECK(configuration.ok()) << configuration.error().message;
  return configuration->profiles[0];
}

constexpr std::string_view kMost = R"(
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
- schedulerName: default-scheduler
  pluginConfig:
  - name: NodeResourcesFit
    args: {scoringStrategy: {type: MostAllocated, resources: [{name: cpu, weight: 1}, {name: memory, weight: 3}]}}
)";

NodeEntry node_with(int64_t milli_cpu, int64_t memory, int64_t used_cpu, int64_t used_memory) {
  NodeEntry node;
  node.allocatable.milli_cpu = milli_cpu;
  node.allocatable.memory_bytes = memory;
  node.allocatable.pods = 110;
  node.requested.milli_cpu = node.requested.scored_milli_cpu = used_cpu;
  node.requested.memory_bytes = node.requested.scored_memory_bytes = used_memory;
  return node;
}

PodDemand demand_of(int64_t milli_cpu, int64_t memory) {
  PodDemand demand;
  demand.requests.milli_cpu = demand.requests.scored_milli_cpu = milli_cpu;
  demand.requests.memory_bytes = demand.requests.scored_memory_bytes = memory;
  demand.requests.pods = 1;
  return demand;
}

TEST(AllocationScore, CountsWhatWouldBeLeftAsKubernetesDoes) {
  // (4000-3000)/4000 and (10000-5000)/10000 of a hundred, averaged.
  EXPECT_EQ(allocation_score({}, demand_of(3000, 5000), node_with(4000, 10000, 0, 0)), 37);
  EXPECT_EQ(allocation_score({}, demand_of(3000, 5000), node_with(6000, 10000, 0, 0)), 50);
  EXPECT_EQ(allocation_score({}, demand_of(5000, 0), node_with(4000, 10000, 0, 0)), 50);
}

TEST(AllocationScore, MostAllocatedPacksByTheProfilesWeights) {
  const Profile most = profile_of(kMost);
  // cpu 75 once, memory 50 three times.
  EXPECT_EQ(allocation_score(most, demand_of(3000, 5000), node_with(4000, 10000, 0, 0)), 56);
}

TEST(AllocationScore, FollowsTheProfilesShapeByStraightLines) {
  Profile profile;
  profile.strategy = AllocationStrategy::kRequestedToCapacity;
  profile.shape = {{0, 0}, {50, 80}, {100, 100}};
  // 25 % full is half way up the first line; memory, which scores nothing, is left out of the mean.
  EXPECT_EQ(allocation_score(profile, demand_of(1000, 0), node_with(4000, 10000, 0, 0)), 40);
  // 75 % and 50 %: 90 and 80.
  EXPECT_EQ(allocation_score(profile, demand_of(3000, 5000), node_with(4000, 10000, 0, 0)), 85);
  // What asks for more than there is counts as full.
  EXPECT_EQ(allocation_score(profile, demand_of(9000, 0), node_with(4000, 10000, 0, 0)), 100);
}

TEST(AllocationScore, CountsAnExtendedResourceOnlyForPodsThatAskForIt) {
  Profile profile;
  profile.strategy = AllocationStrategy::kMost;
  profile.cpu_weight = 1;
  profile.memory_weight = 0;
  profile.other_weights = {{"example.com/gpu", 3}};
  NodeEntry node = node_with(4000, 10000, 0, 0);
  node.allocatable.extended = {{"example.com/gpu", 4}};
  EXPECT_EQ(allocation_score(profile, demand_of(1000, 0), node), 25);
  PodDemand demand = demand_of(1000, 0);
  demand.requests.extended = {{"example.com/gpu", 4}};
  EXPECT_EQ(allocation_score(profile, demand, node), (25 + 3 * 100) / 4);
}

TEST(BalanceScore, IsTheStandardDeviationOfAllThatTheProfileNames) {
  Profile profile;
  profile.balances_others = {"example.com/gpu"};
  NodeEntry node = node_with(4000, 10000, 0, 0);
  node.allocatable.extended = {{"example.com/gpu", 4}};
  PodDemand demand = demand_of(2000, 5000);
  demand.requests.extended = {{"example.com/gpu", 2}};
  EXPECT_EQ(balance_score(profile, demand, node), 100);
  demand.requests.extended = {{"example.com/gpu", 4}};
  // 0.5, 0.5 and 1 deviate by 0.2357.
  EXPECT_EQ(balance_score(profile, demand, node), 76);
}

TEST(BalanceScore, SaysNothingOfAPodThatAsksForNothing) {
  EXPECT_EQ(balance_score({}, demand_of(0, 0), node_with(4000, 10000, 0, 0)), 0);
}

TEST(BalanceScore, IsHighestWhereTheSharesAreEqual) {
  EXPECT_EQ(balance_score({}, demand_of(2000, 5000), node_with(4000, 10000, 0, 0)), 100);
  EXPECT_EQ(balance_score({}, demand_of(3000, 5000), node_with(4000, 10000, 0, 0)), 87);
  EXPECT_EQ(balance_score({}, demand_of(4000, 0), node_with(4000, 10000, 0, 0)), 50);
}

TEST_F(Scores, TheEmptierNodeWins) {
  add_node("full");
  add_node("empty");
  add_pod("there", requests("2", "4Gi"), "nodeSelector: {kubernetes.io/hostname: full}");
  run();
  add_pod("web", requests("500m", "1Gi"));
  run();
  EXPECT_EQ(node_of("web"), "empty");
}

TEST_F(Scores, PodsThatAskForNothingStillSpread) {
  add_node("a");
  add_node("b");
  for (int i = 0; i < 6; ++i) add_pod(cat("web-", i));
  run();
  int on_a = 0;
  for (int i = 0; i < 6; ++i) on_a += node_of(cat("web-", i)) == "a" ? 1 : 0;
  EXPECT_EQ(on_a, 3);
}

TEST_F(Scores, PreferredNodeAffinityAddsUpItsWeights) {
  add_node("a", "4", "8Gi", "disk: ssd");
  add_node("b", "4", "8Gi", "disk: ssd, gpu: \"yes\"");
  add_node("c", "4", "8Gi", "gpu: \"yes\"");
  add_pod(
      "web", "",
      "affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: ["
      "{weight: 50, preference: {matchExpressions: [{key: disk, operator: In, values: [ssd]}]}}, "
      "{weight: 20, preference: {matchExpressions: [{key: gpu, operator: Exists}]}}]}}");
  run();
  EXPECT_EQ(node_of("web"), "b");
}

TEST_F(Scores, ASoftTaintIsAvoidedAndNoObstacle) {
  add_node("a", "4", "8Gi", "", "taints: [{key: old, effect: PreferNoSchedule}]");
  add_node("b");
  add_pod("web");
  add_pod("tolerant", "", "nodeSelector: {kubernetes.io/hostname: a}");
  run();
  EXPECT_EQ(node_of("web"), "b");
  EXPECT_EQ(node_of("tolerant"), "a");
}

TEST_F(Scores, ALargeImageThatIsThereDecidesBetweenEquals) {
  add_node("a");
  add_node("b");
  add_node("c");
  ASSERT_TRUE(patch(kinds::kNodes, "", "b",
                    R"({"status":{"images":[{"names":["demo:1"],"sizeBytes":3000000000}]}})",
                    "status"));
  run();
  add_pod("web");
  run();
  EXPECT_EQ(node_of("web"), "b");
}

TEST_F(Scores, ProfilesPlaceByTheirOwnStrategy) {
  scheduler.reset();
  Profile packer = profile_of(kMost);
  packer.name = "packer";
  informers = std::make_unique<InformerSet>(executor, client, Rng(2));
  scheduler = std::make_unique<Scheduler>(executor, client, *informers, *events, metrics, Rng(4),
                                          SchedulerConfiguration{{Profile(), packer}, {}});
  scheduler->start();
  informers->start();
  add_node("full");
  add_node("empty");
  add_pod("there", requests("2", "4Gi"), "nodeSelector: {kubernetes.io/hostname: full}");
  run();
  add_pod("packed", requests("500m", "1Gi"), "schedulerName: packer");
  add_pod("spread", requests("500m", "1Gi"));
  run();
  EXPECT_EQ(node_of("packed"), "full");
  EXPECT_EQ(node_of("spread"), "empty");
}

}  // namespace
}  // namespace minik::control
