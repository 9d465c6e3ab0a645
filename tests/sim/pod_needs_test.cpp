// What containers ask of others, and what becomes of them and of their machines when they do not get it, or want too much.
#include "tests/sim/faulty_run.h"

namespace minik::sim {
namespace {

constexpr std::string_view kAsks = R"({match: "*", pull: 1s, ready: 1s, asks: {list: [Pod], every: 10s}, needs: {api: true, else: crash}})";

// Tokens are good for an hour, and renewed before it is over.
TEST(TokensOfPods, AreRenewedAsLongAsTheirNodeAgentRuns) {
  FaultyRun run("", 1, kAsks);
  run.to(minutes(2));
  EXPECT_EQ(run.available(), 6);
  run.to(hours(1));  // the scenario's end, at which it stops once
  run.to(hours(5));
  EXPECT_EQ(run.restarts(), 0);
}

TEST(TokensOfPods, ExpireWithoutIt) {
  FaultyRun run("", 1, kAsks);
  const auto running_on = [&](const std::string& node) {
    int64_t running = 0;
    run.count([&](const control::Value& pod) {
      running += static_cast<int64_t>(run.run->cluster().runtime(node)->running_containers(std::string(control::object_uid(pod)), "web").size());
      return false;
    });
    return running;
  };
  run.to(minutes(5));
  run.run->cluster().stop_kubelet("node-0");
  run.to(minutes(55));
  EXPECT_EQ(running_on("node-0"), 2) << "50 minutes are not too long";
  run.to(hours(1));  // the scenario's end, at which it stops once
  run.to(minutes(70));
  EXPECT_EQ(running_on("node-0"), 0) << "401 to each of their questions";
  EXPECT_GT(running_on("node-1"), 0);
}

TEST(ContainersThatAsk, LackTheApiServerWhileItIsAway) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 1m, stopApi: {}}", 1,
                R"({match: "*", pull: 1s, ready: 1s, asks: {list: [Pod], every: 5s}, needs: {api: true, else: notReady}})");
  run.to(minutes(2));
  EXPECT_EQ(run.ready_pods(), 6);
  EXPECT_TRUE(run.until([&] { return run.ready_pods() == 0; }, minutes(2))) << "as the node agents say when it is back";
  EXPECT_TRUE(run.until([&] { return run.ready_pods() == 6; }, minutes(2)));
}

// Six pods list a hundred objects each second; a server that gets through fifty is busy with nothing else.
TEST(AnApiServer, IsSlowForAllWhenManyAskForMuch) {
  const auto scaled = [](std::string_view pace) {
    FaultyRun run(cat(pace, "  timeline:\n  - {at: 2m, scale: {kind: Deployment, name: web, replicas: 7}}"), 1,
                  R"({match: "*", pull: 1s, ready: 1s, asks: {list: [Pod, Node, Event, Lease], every: 1s}})");
    run.to(minutes(2));
    return run.until([&] { return run.store().count(control::kinds::kPods) == 7; }, seconds(5));
  };
  EXPECT_TRUE(scaled(""));
  EXPECT_TRUE(scaled("  apiServer: {objectsPerSecond: 1000000}\n"));
  EXPECT_FALSE(scaled("  apiServer: {objectsPerSecond: 40}\n"));
}

TEST(NameServers, KnowNamesForAWhileWithoutTheApiServer) {
  FaultyRun run("  dns: {cachedFor: 3m}\n  faults:\n  - {at: 2m, for: 6m, stopApi: {}}", 1,
                R"({match: "*", pull: 1s, ready: 1s, needs: {dns: true}})");
  run.to(minutes(4));
  EXPECT_TRUE(run.run->cluster().surroundings().names_known);
  run.to(minutes(6));
  EXPECT_FALSE(run.run->cluster().surroundings().names_known);
  run.to(minutes(9));
  EXPECT_TRUE(run.run->cluster().surroundings().names_known);
}

// Eight CPUs a machine.
TEST(Machines, StandStillInTurnsWhenTheirContainersWantMoreThanTheyHave) {
  const std::string greedy = R"(  timeline:
  - at: 2m
    apply:
    - apiVersion: v1
      kind: Pod
      metadata: {name: greedy}
      spec: {nodeName: node-1, containers: [{name: main, image: "greedy:1"LIMIT}]}
  - {at: 12m, delete: {kind: Pod, name: greedy}})";
  const auto lost = [&](std::string_view limit) {
    std::string text = greedy;
    text.replace(text.find("LIMIT"), 5, limit);
    FaultyRun run(text, 1, "{match: \"greedy:*\", pull: 1s, uses: {cpu: \"200\"}}\n  - {match: \"*\", pull: 1s, ready: 1s}");
    const bool was_lost = run.until([&] { return run.condition("node-1", "Ready") == "Unknown"; }, minutes(8));
    EXPECT_EQ(run.condition("node-0", "Ready"), "True");
    run.to(minutes(25));
    EXPECT_EQ(run.condition("node-1", "Ready"), "True") << "it is back when the pod is gone";
    EXPECT_EQ(run.available(), 6);
    return was_lost;
  };
  EXPECT_TRUE(lost(""));
  EXPECT_FALSE(lost(", resources: {limits: {cpu: \"2\"}}")) << "a limit holds it";
}

}  // namespace
}  // namespace minik::sim
