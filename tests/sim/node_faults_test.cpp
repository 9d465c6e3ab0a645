// What each fault of machines and containers does to a cluster, and that it ends.
#include <algorithm>

#include "control/kubelet/eviction.h"
#include "tests/sim/faulty_run.h"

namespace minik::sim {
namespace {

TEST(NodeFaults, ACrashedNodeIsLostAndBootsWhenTheFaultEnds) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 3m, crashNodes: {names: [node-1]}}");
  run.to(minutes(3) + seconds(10));
  EXPECT_EQ(run.condition("node-1", "Ready"), "Unknown");
  run.to(minutes(6));
  EXPECT_EQ(run.condition("node-1", "Ready"), "True");
  EXPECT_EQ(run.available(), 6);
}

// Found by a drawn scenario: after a reboot nothing of an ended pod is left on the machine, and it ran once more.
TEST(NodeFaults, APodThatHasEndedDoesNotComeBackWithItsMachine) {
  FaultyRun run(R"(
  - apiVersion: batch/v1
    kind: Job
    metadata: {name: sum}
    spec:
      completions: 3
      template: {spec: {restartPolicy: OnFailure, containers: [{name: sum, image: "sum:1"}]}}
  faults:
  - {at: 2m, for: 10s, crashNodes: {count: 3}}
)",
                1, "{match: \"sum:*\", exitAfter: 5s}");
  const auto succeeded = [&] {
    int64_t pods = 0;
    run.store().for_each(control::kinds::kPods, [&](const control::Value& pod) {
      pods += pod[control::keys::kStatus][control::keys::kPhase].as_string() == "Succeeded" ? 1 : 0;
    });
    return pods;
  };
  run.to(minutes(2));
  ASSERT_EQ(succeeded(), 3);
  run.to(minutes(4));
  EXPECT_EQ(run.condition("node-0", "Ready"), "True");
  EXPECT_EQ(succeeded(), 3);
}

TEST(NodeFaults, AFrozenNodeGoesOnWhereItWas) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 70s, freezeNodes: {names: [node-1]}}");
  run.to(minutes(3));
  EXPECT_EQ(run.condition("node-1", "Ready"), "Unknown");
  run.to(minutes(4));
  EXPECT_EQ(run.condition("node-1", "Ready"), "True");
  EXPECT_EQ(run.restarts(), 0) << "its containers never died";
}

TEST(NodeFaults, AMachineThatStoodStillForLongFindsItsConnectionsDead) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 5m, freezeNodes: {names: [node-1]}}");
  run.to(minutes(6));
  EXPECT_EQ(run.available(), 6) << "its pods are given up after half a minute";
  run.to(minutes(8));
  EXPECT_EQ(run.condition("node-1", "Ready"), "True");
  EXPECT_EQ(run.count([](const control::Value& pod) { return control::is_deleting(pod); }), 0) << "it has learnt what is gone";
}

TEST(NodeFaults, ASlowNodeTakesLongerToStartAPod) {
  const auto ready_at = [](std::string_view faults) {
    FaultyRun run(faults);
    EXPECT_TRUE(run.until([&] { return run.ready_pods() == 6; }, minutes(10)));
    return run.run->now();
  };
  EXPECT_GT(ready_at("  faults:\n  - {at: 0s, slowNodes: {names: [node-1], factor: 8}}"), ready_at("") + seconds(5));
}

TEST(NodeFaults, AClockThatJumpsShowsInWhatTheNodeWrites) {
  FaultyRun run("  faults:\n  - {at: 2m, jumpClocks: {names: [node-1], by: 1h}}");
  run.to(minutes(3));
  const auto renewed = [&](const std::string& name) {
    return run.store().find(control::kinds::kLeases, "kube-node-lease", name)[control::keys::kSpec][control::keys::kRenewTime].string().substr(0, 13);
  };
  EXPECT_EQ(renewed("node-0"), "2026-01-01T00");
  EXPECT_EQ(renewed("node-1"), "2026-01-01T01");
}

TEST(NodeFaults, ContainersOutliveTheirKubelet) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 90s, stopKubelets: {names: [node-1]}}");
  run.to(minutes(3) + seconds(20));
  EXPECT_EQ(run.condition("node-1", "Ready"), "Unknown");
  run.to(minutes(5));
  EXPECT_EQ(run.condition("node-1", "Ready"), "True");
  EXPECT_EQ(run.restarts(), 0);
}

TEST(NodeFaults, APartitionHidesANodeInEitherDirection) {
  for (const auto* cut : {"both", "requests", "answers"}) {
    SCOPED_TRACE(cut);
    FaultyRun run(cat("  faults:\n  - {at: 2m, for: 80s, partitionNodes: {names: [node-1], cut: ", cut, "}}"));
    run.to(minutes(3) + seconds(10));
    // Also where only answers get lost: a Lease of which one does not know what became cannot be renewed.
    EXPECT_EQ(run.condition("node-1", "Ready"), "Unknown");
    run.to(minutes(6));
    EXPECT_EQ(run.condition("node-1", "Ready"), "True");
    EXPECT_EQ(run.available(), 6);
  }
}

TEST(NodeFaults, AWholeZoneCanGo) {
  FaultyRun run("  faults:\n  - {at: 2m, crashNodes: {zone: b}}");
  run.to(minutes(4));
  EXPECT_EQ(run.condition("node-0", "Ready"), "True");
  EXPECT_EQ(run.condition("node-1", "Ready"), "Unknown");
  EXPECT_EQ(run.condition("node-2", "Ready"), "True");
}

TEST(NodeFaults, AFullDiskKeepsPodsAwayAndEvictsThoseThatAreThere) {
  FaultyRun run(R"(  timeline:
  - {at: 3m, scale: {kind: Deployment, name: web, replicas: 12}}
  faults:
  - {at: 2m, for: 3m, fillDisks: {names: [node-1]}})");
  const auto there = [&](std::string_view phase) {
    return run.count([&](const control::Value& pod) {
      return pod[control::keys::kSpec][control::keys::kNodeName].as_string() == "node-1" &&
             pod[control::keys::kStatus][control::keys::kPhase].as_string() == phase;
    });
  };
  run.to(minutes(2) + seconds(1));
  EXPECT_EQ(run.condition("node-1", "DiskPressure"), "True");
  EXPECT_EQ(there("Failed"), 1) << "one after the other";
  EXPECT_EQ(there("Running"), 1);
  run.to(minutes(4));
  EXPECT_GE(there("Failed"), 2) << "one more for each that was bound before the node had its taint";
  EXPECT_LE(there("Failed"), 4);
  EXPECT_EQ(there("Running"), 0);
  EXPECT_EQ(run.available(), 12) << "elsewhere";
  run.store().for_each(control::kinds::kPods, [&](const control::Value& pod) {
    if (pod[control::keys::kStatus][control::keys::kPhase].as_string() != "Failed") return;
    EXPECT_EQ(pod[control::keys::kStatus][control::keys::kReason].as_string(), "Evicted");
    const bool rejected = pod[control::keys::kStatus][control::keys::kMessage].as_string().starts_with("Pod was rejected: ");
    EXPECT_EQ(control::condition(pod, "DisruptionTarget")[control::keys::kReason].as_string(), rejected ? "" : "TerminationByKubelet");
  });
  run.to(minutes(9));
  EXPECT_EQ(run.condition("node-1", "DiskPressure"), "True") << "it must not flap";
  run.to(minutes(10) + seconds(10));
  EXPECT_EQ(run.condition("node-1", "DiskPressure"), "False");
}

TEST(NodeFaults, AFullDiskTakesWhoWroteMoreThanTheyAskedForThenTheLeastImportant) {
  constexpr int64_t kMebibyte = 1 << 20;
  const auto pod = [](std::string_view name, int64_t priority, std::string_view asks, int64_t written) {
    const control::Value requests = control::Value::map({{"ephemeral-storage", asks}});
    const control::Value container = control::Value::map({{"name", "c"}, {"resources", control::Value::map({{"requests", requests}})}});
    return control::EvictionCandidate{
        control::Value::map({{"metadata", control::Value::map({{"name", name}, {"namespace", "shop"}, {"creationTimestamp", "2026-01-01T00:00:03Z"}})},
                             {"spec", control::Value::map({{"priority", priority}, {"containers", control::Value::array({container})}})}}),
        {.containers = {{"c", (written + 1) / 2 * kMebibyte}}, .volumes = {{"cache", written / 2 * kMebibyte}}}};
  };
  std::vector<control::EvictionCandidate> pods{
      pod("critical", 2'000'000'000, "0", 900), pod("modest", 0, "1Gi", 900),          pod("important", 10, "0", 500),
      pod("little", 0, "100Mi", 101),           pod("much", 0, "100Mi", 600),          pod("idle", 0, "0", 0),
      pod("important-and-modest", 10, "1Gi", 0)};
  const control::Shortage shortage{control::EvictionSignal::kNodeFsAvailable, 15 * kMebibyte, 3 * kMebibyte};
  EXPECT_EQ(control::eviction_message(pods[4], shortage),
            "The node was low on resource: ephemeral-storage. Threshold quantity: 15Mi, available: 3Mi. Container c was using 300Mi, request is "
            "100Mi, has larger consumption of ephemeral-storage. ");
  EXPECT_EQ(control::eviction_message(pods[1], shortage),
            "The node was low on resource: ephemeral-storage. Threshold quantity: 15Mi, available: 3Mi. ");
  auto newer = pod("newer", 0, "0", 0);
  newer.pod = newer.pod.with_at({"metadata", "creationTimestamp"}, "2026-01-01T00:00:04Z");
  pods.push_back(newer);
  std::string order;
  while (const auto next = control::next_to_evict(pods, shortage.signal)) {
    order += cat(control::object_name(pods[*next].pod), " ");
    pods.erase(pods.begin() + static_cast<ptrdiff_t>(*next));
  }
  EXPECT_EQ(order, "much little important newer idle modest important-and-modest ");
}

TEST(NodeFaults, WhatContainersWriteDecidesWhoIsEvictedFirst) {
  FaultyRun run("  timeline:\n  - {at: 20s, apply: {apiVersion: v1, kind: Pod, metadata: {name: log}, spec: {nodeName: node-0, containers: [{name: log, "
                "image: \"log:1\"}]}}}\n  faults:\n  - {at: 2m, for: 5m, fillDisks: {names: [node-0]}}", 1,
                "{match: \"web:*\", preloaded: true}\n  - {match: \"log:*\", preloaded: true, uses: {disk: 10Mi, diskGrowthPerSecond: 1Mi}}");
  run.to(minutes(2) + seconds(12));
  const auto& log = run.run->cluster().store().find(control::kinds::kPods, "default", "log");
  EXPECT_EQ(log["status"]["reason"].as_string(), "Evicted");
  EXPECT_NE(log["status"]["message"].as_string().find("Container log was using 1"), std::string::npos) << log["status"]["message"].as_string();
}

TEST(NodeFaults, NodesMayBeChosenByThePodsThatTheyRun) {
  FaultyRun run("  faults:\n  - {at: 2m, crashNodes: {runs: app=web, count: 1}}\n  - {at: 2m, crashNodes: {runs: app=nobody}}");
  run.to(minutes(2) + seconds(1));
  int64_t down = 0;
  for (const auto& name : run.run->cluster().node_names()) down += run.run->cluster().node_running(name) ? 0 : 1;
  EXPECT_EQ(down, 1);
}

TEST(NodeFaults, OverlappingFaultsEndOnlyWithTheLast) {
  FaultyRun run(R"(  faults:
  - {at: 2m, for: 1m, crashNodes: {names: [node-1]}}
  - {at: 2m30s, for: 3m, crashNodes: {names: [node-1]}})");
  run.to(minutes(4));
  EXPECT_FALSE(run.run->cluster().node_running("node-1"));
  run.to(minutes(6));
  EXPECT_TRUE(run.run->cluster().node_running("node-1"));
}

TEST(PodFaults, ACrashedContainerIsStartedAgain) {
  FaultyRun run("  faults:\n  - {at: 2m, crashContainers: {labelSelector: app=web, count: 2, exitCode: 3}}");
  run.to(minutes(3));
  EXPECT_EQ(run.restarts(), 2);
  EXPECT_TRUE(run.any_container("Error"));
  EXPECT_EQ(run.ready_pods(), 6);
}

TEST(PodFaults, OutOfMemoryIsSaidAsSuch) {
  FaultyRun run("  faults:\n  - {at: 2m, oomContainers: {labelSelector: app=web, count: 1}}");
  run.to(minutes(3));
  EXPECT_TRUE(run.any_container("OOMKilled"));
}

TEST(PodFaults, AHungContainerIsKilledByItsLivenessProbe) {
  FaultyRun run("  faults:\n  - {at: 2m, hangContainers: {labelSelector: app=web, count: 1}}");
  run.to(minutes(2) + seconds(10));
  EXPECT_EQ(run.ready_pods(), 5);
  run.to(minutes(4));
  EXPECT_EQ(run.restarts(), 1);
  EXPECT_EQ(run.ready_pods(), 6);
}

TEST(PodFaults, FailingProbesEndWithTheFault) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 8s, failProbes: {labelSelector: app=web}}");
  run.to(minutes(2) + seconds(6));
  EXPECT_EQ(run.ready_pods(), 0);
  run.to(minutes(3));
  EXPECT_EQ(run.ready_pods(), 6);
}

// Who has a capacity may be overloaded at any moment, and is asked at every beat.
TEST(PodFaults, ProbesThatRestFailAtTheBeatAtWhichTheyWouldHaveBeenAsked) {
  const auto ready_at_each_moment = [](const std::string& images) {
    FaultyRun run(R"(  faults:
  - {at: 2m, for: 8s, failProbes: {labelSelector: app=web}}
  - {at: 3m, for: 7s, slowNodes: {count: 2, factor: 2000}}
  - {at: 4m, hangContainers: {labelSelector: app=web, count: 2}})",
                  1, images);
    std::vector<int64_t> ready;
    for (Duration at = minutes(2); at < minutes(6); at = at + milliseconds(100)) {
      run.to(at);
      ready.push_back(run.ready_pods());
    }
    return ready;
  };
  const auto resting = ready_at_each_moment("{match: \"*\"}");
  EXPECT_EQ(resting, ready_at_each_moment("{match: \"*\", capacity: 1000000}"));
  EXPECT_EQ(std::ranges::min(resting), 0);
  EXPECT_EQ(resting.back(), 6);
}

TEST(RegistryFaults, AnOutageStopsNewImagesAndNotWhatRuns) {
  FaultyRun run(R"(  timeline:
  - {at: 3m, setImage: {kind: Deployment, name: web, container: web, image: "web:2"}}
  faults:
  - {at: 2m, for: 5m, registryOutage: {}})");
  run.to(minutes(4));
  EXPECT_TRUE(run.any_container("ImagePullBackOff") || run.any_container("ErrImagePull"));
  EXPECT_GE(run.ready_pods(), 5);
  run.to(minutes(14));
  EXPECT_EQ(run.available(), 6);
}

TEST(RegistryFaults, AThrottledRegistryServesSoManyPullsAMinute) {
  FaultyRun run(R"(  faults:
  - {at: 0s, throttleRegistry: {pullsPerMinute: 1}})");
  run.to(seconds(50));
  EXPECT_LE(run.ready_pods(), 2) << "one of three nodes has the image";
  EXPECT_TRUE(run.until([&] { return run.ready_pods() == 6; }, minutes(20)));
}

TEST(Behaviours, GrowsUntilItsLimitKillsIt) {
  FaultyRun run("", 1, "{match: \"*\", uses: {memory: 10Mi, memoryGrowthPerSecond: 1Mi}}");
  run.to(minutes(1));
  EXPECT_EQ(run.restarts(), 0);
  run.to(minutes(3));
  EXPECT_TRUE(run.any_container("OOMKilled"));
}

TEST(Behaviours, CrashesAtItsMeanTime) {
  FaultyRun run("", 1, "{match: \"*\", crash: {after: {exponential: {mean: 10m}}}}");
  run.to(minutes(50));
  EXPECT_GT(run.restarts(), 15);
  EXPECT_LT(run.restarts(), 45);
}

TEST(Behaviours, OverloadMakesProbesFail) {
  FaultyRun run("  timeline:\n  - {at: 2m, setLoad: {image: \"*\", requests: 6000}}", 1, "{match: \"*\", capacity: 100}");
  run.to(minutes(2));
  EXPECT_EQ(run.ready_pods(), 6);
  run.to(minutes(2) + seconds(30));
  EXPECT_LT(run.ready_pods(), 3);
}

TEST(Behaviours, IsNotReadyWithoutNamesWhenItNeedsThem) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 8s, dnsOutage: {}}", 1, "{match: \"*\", needs: {dns: true}}");
  run.to(minutes(2) + seconds(6));
  EXPECT_EQ(run.ready_pods(), 0);
  run.to(minutes(3));
  EXPECT_EQ(run.ready_pods(), 6);
}

TEST(NodeActions, AllNodesAreThoseOfTheApiWhetherTheirMachinesRunOrNot) {
  FaultyRun run("  timeline:\n  - {at: 2m, cordon: all}\n  - {at: 2m10s, crashNodes: {names: [node-1]}}\n  - {at: 3m, uncordon: all}\n"
                "  - {at: 4m, cordon: {zone: b}}\n");
  const auto cordoned = [&](const std::string& node) {
    return run.store().find(control::kinds::kNodes, "", node)[control::keys::kSpec][control::keys::kUnschedulable].as_bool();
  };
  run.to(minutes(2) + seconds(5));
  EXPECT_TRUE(cordoned("node-1"));
  run.to(minutes(3) + seconds(5));
  EXPECT_FALSE(cordoned("node-1"));
  EXPECT_FALSE(cordoned("node-0"));
  run.to(minutes(4) + seconds(5));
  EXPECT_TRUE(cordoned("node-1"));
}

TEST(NodeActions, StartingAMachineThatIsOnSaysThatItChangesNothing) {
  FaultyRun run("  timeline:\n  - {at: 1m, stopKubelets: {names: [node-1]}}\n  - {at: 2m, startNodes: {names: [node-1]}}\n");
  run.to(minutes(2) + seconds(5));
  EXPECT_TRUE(std::ranges::find(run.notes, "startNodes node-1 changes nothing: its machine is on") != run.notes.end());
}

TEST(NodeActions, WhatIsInjectedMustFindItsObject) {
  FaultyRun run("");
  run.to(minutes(1));
  EXPECT_EQ(run.run->inject("scale: {kind: Deployment, name: zzz, replicas: 2}", "inject").error().message,
            "inject:1: scale: there is no Deployment default/zzz");
  EXPECT_TRUE(run.run->inject("scale: {kind: Deployment, name: web, replicas: 2}", "inject").ok());
}

}  // namespace
}  // namespace minik::sim
