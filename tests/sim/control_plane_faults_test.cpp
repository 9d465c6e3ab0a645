// What each fault of the control plane does, and that the cluster comes to rest after it.
#include "tests/sim/faulty_run.h"

namespace minik::sim {
namespace {

using control::keys::kSpec;

// The seconds from a scale at 2 min to all pods being there.
Duration scaled_after(std::string_view fault, Duration patience = minutes(20)) {
  FaultyRun run(cat("  timeline:\n  - {at: 2m, scale: {kind: Deployment, name: web, replicas: 12}}\n  faults:\n  - ", fault));
  run.to(minutes(2));
  EXPECT_TRUE(run.until([&] { return run.available() == 12; }, patience));
  return run.run->now() - minutes(2);
}

TEST(ApiFaults, NothingHappensWhileTheServerIsAwayAndAllOfItAfterwards) {
  FaultyRun run(R"(  timeline:
  - {at: 2m5s, scale: {kind: Deployment, name: web, replicas: 12}}
  faults:
  - {at: 2m, for: 30s, stopApi: {}})");
  run.to(minutes(2) + seconds(29));
  EXPECT_FALSE(run.run->cluster().api_running());
  EXPECT_EQ(run.store().count(control::kinds::kPods), 6U);
  EXPECT_TRUE(run.until([&] { return run.available() == 12; }, minutes(3)));
  EXPECT_EQ(run.restarts(), 0) << "containers do not need the server";
}

TEST(ApiFaults, LeadersEndAfterTenSecondsWithoutAServerAndComeBackAfterIt) {
  FaultyRun run(R"(  faults:
  - {at: 2m, for: 9s, stopApi: {}}
  - {at: 4m, for: 30s, stopApi: {}}
  - {at: 4m20s, for: 15s, crashComponent: {component: scheduler}})");
  auto& cluster = run.run->cluster();
  run.to(minutes(2) + seconds(20));
  EXPECT_FALSE(run.noted("cannot renew")) << "nine seconds are no matter";
  run.to(minutes(4) + seconds(9));
  EXPECT_TRUE(cluster.running(Component::kControllers));
  run.to(minutes(4) + seconds(11));
  EXPECT_FALSE(cluster.running(Component::kControllers));
  EXPECT_FALSE(cluster.running(Component::kScheduler));
  run.to(minutes(4) + seconds(30));
  EXPECT_FALSE(cluster.running(Component::kControllers));
  run.to(minutes(4) + seconds(41));
  EXPECT_TRUE(cluster.running(Component::kControllers));
  EXPECT_FALSE(cluster.running(Component::kScheduler)) << "its own fault is over, and the lease of who died is not";
  run.to(minutes(4) + seconds(54));
  EXPECT_TRUE(cluster.running(Component::kScheduler));
}

TEST(ApiFaults, LatencyErrorsAndThrottlingMakeItSlowButRight) {
  const Duration usual = scaled_after("{at: 59m, expireWatches: {}}");
  EXPECT_GT(scaled_after("{at: 1m, for: 10m, slowApi: {latency: 2s}}"), usual);
  EXPECT_GT(scaled_after("{at: 1m, for: 10m, failApi: {share: 60%, code: 503}}"), usual);
  EXPECT_GT(scaled_after("{at: 1m, for: 10m, throttleApi: {requestsPerSecond: 2}}"), usual);
}

TEST(ApiFaults, WatchesThatExpireAreMadeAnew) {
  EXPECT_LT(scaled_after("{random: {every: 20s}, for: 1s, expireWatches: {}}"), minutes(2));
}

TEST(StoreFaults, WhatWasAcknowledgedSurvivesALossOfPower) {
  FaultyRun run("  faults:\n  - {random: {every: 40s, from: 1m}, for: {min: 1s, max: 5s}, cutStorePower: {}}");
  run.to(minutes(1));
  control::ApiRequest request;
  request.verb = control::Verb::kPatch;
  request.kind = control::kinds::kDeployments;
  request.namespace_ = "default";
  request.name = "web";
  // Written again and again while the power comes and goes: whatever was answered is there for good.
  int64_t acknowledged = 0;
  for (int64_t n = 1; n <= 300; ++n) {
    request.body = control::Value::empty_map().with_at({kSpec, control::Key("progressDeadlineSeconds")}, 1000 + n);
    run.run->cluster().request(request, [&acknowledged, n](const auto& result) {
      if (result) acknowledged = std::max(acknowledged, n);
    });
    run.to(run.run->now() + seconds(1));
    EXPECT_GE(run.store().find(control::kinds::kDeployments, "default", "web")[kSpec].get("progressDeadlineSeconds").as_int(), 1000 + acknowledged);
  }
  EXPECT_GT(acknowledged, 200);
  EXPECT_GT(run.run->cluster().store_lives(), 4U);
  EXPECT_TRUE(run.until([&] { return run.available() == 6; }, minutes(3)));
}

TEST(StoreFaults, AFullDiskStopsTheControlPlaneUntilThereIsRoom) {
  FaultyRun run(R"(  timeline:
  - {at: 2m5s, scale: {kind: Deployment, name: web, replicas: 12}}
  faults:
  - {at: 2m, for: 1m, fillStoreDisk: {}})");
  run.to(minutes(2) + seconds(55));
  EXPECT_EQ(run.available(), 6);
  EXPECT_TRUE(run.until([&] { return run.available() == 12; }, minutes(3)));
}

TEST(StoreFaults, ASlowDiskDelaysEveryWrite) {
  EXPECT_GT(scaled_after("{at: 1m, for: 10m, slowStoreDisk: {latency: 500ms}}"), scaled_after("{at: 59m, expireWatches: {}}"));
}

TEST(LinkFaults, TroubledLinksSlowTheControllersDown) {
  EXPECT_LT(scaled_after("{at: 1m, for: 5m, troubleLinks: {components: [controllers, scheduler, nodes], loseRequests: 5%, loseAnswers: 5%, "
                         "delayAnswers: 10%, holdWatches: 5%, endWatches: 2%, delayMax: 3s}}"), minutes(10));
}

TEST(LinkFaults, HeldMessagesArriveWhenTheyAreReleased) {
  FaultyRun run(R"(  timeline:
  - {at: 2m5s, scale: {kind: Deployment, name: web, replicas: 12}}
  faults:
  - {at: 2m, for: 30s, holdMessages: {components: [controllers]}})");
  run.to(minutes(2) + seconds(28));
  EXPECT_EQ(run.store().count(control::kinds::kPods), 6U);
  EXPECT_TRUE(run.until([&] { return run.available() == 12; }, minutes(1)));
}

TEST(ComponentFaults, ACrashedComponentIsMissedUntilItIsBack) {
  EXPECT_GT(scaled_after("{at: 1m, for: 3m, crashComponent: {component: controllers}}"), minutes(2));
  EXPECT_GT(scaled_after("{at: 1m, for: 3m, crashComponent: {component: scheduler}}"), minutes(2));
  EXPECT_GT(scaled_after("{at: 1m59s, loseLeader: {component: controllers}}"), seconds(14));
}

TEST(ComponentFaults, DyingAroundItsWritesChangesNothingInTheEnd) {
  for (const auto* component : {"controllers", "scheduler"}) {
    FaultyRun run(cat("  timeline:\n  - {at: 2m, scale: {kind: Deployment, name: web, replicas: 12}}\n  faults:\n"
                      "  - {at: 2m, for: 3m, crashAtWrites: {component: ", component, ", share: 20%}}"));
    run.to(minutes(8));
    EXPECT_EQ(run.available(), 12);
    EXPECT_EQ(run.store().count(control::kinds::kPods), 12U);
  }
}

TEST(ComponentFaults, TwoLeadersMakeNoMoreThanIsWanted) {
  for (const auto* component : {"controllers", "scheduler"}) {
    FaultyRun run(cat("  timeline:\n  - {at: 2m, scale: {kind: Deployment, name: web, replicas: 12}}\n  faults:\n"
                      "  - {at: 2m, for: 20s, twoLeaders: {component: ", component, "}}"));
    run.to(minutes(6));
    EXPECT_EQ(run.available(), 12);
    EXPECT_EQ(run.store().count(control::kinds::kPods), 12U) << component;
  }
}

TEST(Triggers, AFaultWaitsForTheNthWrite) {
  FaultyRun run(R"(  faults:
  - {when: {write: {verb: create, kind: Pod, component: controllers, count: 3}}, for: 1m, crashComponent: {component: controllers}})");
  run.to(seconds(30));
  EXPECT_FALSE(run.run->cluster().running(Component::kControllers));
  EXPECT_GE(run.store().count(control::kinds::kPods), 3U);
  run.to(minutes(3));
  EXPECT_EQ(run.available(), 6);
}

TEST(Triggers, AComponentDiesBetweenTwoNamedWrites) {
  FaultyRun run(R"(  faults:
  - when: {between: {first: {verb: create, kind: ReplicaSet}, then: {verb: create, kind: Pod}}}
    for: 30s
    crashComponent: {component: controllers})");
  run.to(seconds(20));
  EXPECT_EQ(run.store().count(control::kinds::kReplicasets), 1U);
  EXPECT_LT(run.store().count(control::kinds::kPods), 6U) << "one creation got lost at least";
  run.to(minutes(3));
  EXPECT_EQ(run.available(), 6);
  EXPECT_EQ(run.store().count(control::kinds::kPods), 6U);
}

TEST(Triggers, AnActionWaitsUntilSomethingHolds) {
  FaultyRun run(R"(  timeline:
  - when: {object: {kind: Deployment, name: web}, cel: "object.?status.?availableReplicas.orValue(0) == 6"}
    after: 10s
    scale: {kind: Deployment, name: web, replicas: 8})");
  EXPECT_TRUE(run.until([&] { return run.available() == 8; }, minutes(2)));
}

TEST(Triggers, AFaultMayBeDrawnForAWholeRun) {
  int with = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    FaultyRun run("  faults:\n  - {at: 1s, inRuns: 50%, crashNodes: {names: [node-1]}}", seed);
    run.to(seconds(2));
    with += run.noted("crashNodes");
  }
  EXPECT_GT(with, 3);
  EXPECT_LT(with, 17);
}

TEST(Convergence, SaysInWordsWhatIsMissing) {
  FaultyRun run(R"(  timeline:
  - {at: 58m, setImage: {kind: Deployment, name: web, container: web, image: "gone:1"}}
  convergence: {within: 2m})", 1, "{match: \"web*\"}\n  - {match: \"gone*\", missing: true}");
  while (!run.run->over()) run.to(run.run->now() + minutes(10));
  const auto outcome = run.run->conclude();
  ASSERT_FALSE(outcome.findings.empty());
  const auto& finding = outcome.findings.back();
  EXPECT_FALSE(finding.held);
  EXPECT_EQ(finding.what, "everything comes to rest within 2m0s after the faults");
  EXPECT_NE(finding.detail.find("Deployment default/web: "), std::string::npos) << finding.detail;
  EXPECT_NE(finding.detail.find("container web waits: "), std::string::npos) << finding.detail;
}

TEST(Convergence, HealsEverythingFirst) {
  FaultyRun run(R"(  faults:
  - {at: 58m, crashNodes: all}
  - {at: 58m, stopApi: {}}
  - {at: 58m, crashComponent: {component: scheduler}})");
  while (!run.run->over()) run.to(run.run->now() + minutes(10));
  const auto outcome = run.run->conclude();
  EXPECT_TRUE(outcome.passed()) << (outcome.findings.empty() ? "" : outcome.findings.back().detail);
  EXPECT_LT(run.run->now(), hours(1) + minutes(15));
}

TEST(Actions, ADrainWaitsForTheBudget) {
  FaultyRun run(R"(  - apiVersion: policy/v1
    kind: PodDisruptionBudget
    metadata: {name: web}
    spec: {minAvailable: 6, selector: {matchLabels: {app: web}}}
  timeline:
  - {at: 2m, drain: {names: [node-1]}}
  - {at: 4m, patch: {kind: PodDisruptionBudget, name: web, patch: {spec: {minAvailable: 5}}}})");
  run.to(minutes(4));
  EXPECT_EQ(run.ready_pods(), 6);
  EXPECT_EQ(run.run->actions().unfinished().size(), 1U);
  EXPECT_TRUE(run.until([&] { return run.noted("drained node-1"); }, minutes(2)));
  EXPECT_EQ(run.count([](const control::Value& pod) { return pod[kSpec][control::keys::kNodeName].as_string() == "node-1"; }), 0);
}

TEST(Actions, AnUpgradeReplacesEveryNodeOfThePool) {
  FaultyRun run("  timeline:\n  - {at: 2m, upgradePool: {pool: node, replace: 1m, labels: {version: new}}}");
  EXPECT_TRUE(run.until([&] { return run.noted("upgraded node-2"); }, minutes(20)));
  for (const auto* name : {"node-0", "node-1", "node-2"}) {
    EXPECT_EQ(run.node(name)[control::keys::kMetadata][control::keys::kLabels].get("version").as_string(), "new");
    EXPECT_FALSE(run.node(name)[kSpec][control::keys::kUnschedulable].as_bool());
  }
  EXPECT_TRUE(run.until([&] { return run.available() == 6; }, minutes(2)));
}

// Found by a sweep: whoever finds the API server away comes back later, however long that is, and an object that is still
// being applied is there then.
TEST(ApiServer, ActionsWaitForOneThatIsAwayAndForWhatIsStillBeingApplied) {
  FaultyRun run(R"(  timeline:
  - {at: 10s, setImage: {kind: Deployment, name: web, container: web, image: "web:2"}}
  faults:
  - {at: 4s, for: 8m, stopApi: {}})");
  run.to(minutes(12));
  EXPECT_EQ(run.count([](const control::Value& pod) {
    return pod[control::keys::kSpec][control::keys::kContainers].items()[0][control::keys::kImage].as_string() == "web:2";
  }), 6);
  EXPECT_TRUE(run.run->conclude().findings.empty()) << "no action has failed";
}

}  // namespace
}  // namespace minik::sim
