// What becomes of pods whose machine was off: what runs again, what must not, and what can still be read of before.
#include <algorithm>

#include "tests/sim/faulty_run.h"
#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

class MachineOff : public OneNode<> {
 protected:
  MachineOff() {
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    ImageBehaviour ends, fails, deaf;
    ends.match = "ends";
    ends.exit_after = Distribution::fixed(seconds(2));
    fails = ends;
    fails.match = "fails";
    fails.exit_code = 3;
    deaf.match = "deaf";
    deaf.ignores_sigterm = true;
    surroundings.images = {ends, fails, deaf, ImageBehaviour{}};
    run(seconds(5));
  }

  void make_pod(const std::string& spec) {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, ",
            spec, "}}"));
    run(seconds(30));
  }
  void turn_off_and_on() {
    kubelet.reset();
    runtime.power_off();
    run(seconds(10));
    start_agent();
    run(seconds(30));
  }
  Value pod() { return store.find(kinds::kPods, "default", "web"); }
  std::string phase() { return pod()[keys::kStatus][keys::kPhase].string(); }
  Value container(size_t i = 0) { return pod()[keys::kStatus][keys::kContainerStatuses].items()[i]; }
  int64_t restarts(size_t i = 0) { return container(i)[keys::kRestartCount].as_int(); }
  static std::string end_of(const Value& state) {
    const Value& end = state[keys::kTerminated];
    return end.has_value() ? cat(end[keys::kExitCode].as_int(), " ", end[keys::kReason].as_string()) : "none";
  }
  std::string end(size_t i = 0) { return end_of(container(i)[keys::kState]); }
  std::string last_end(size_t i = 0) { return end_of(container(i)[keys::kLastState]); }
  bool is_running(size_t i = 0) { return container(i)[keys::kState][keys::kRunning].has_value(); }
  std::string log_of(const std::string& name, bool previous) {
    const auto found = kubelet->locate(pod(), name, previous);
    return found ? found->log_path.substr(found->log_path.rfind('/') + 1) : found.error().message;
  }
};

TEST_F(MachineOff, APodThatIsAlwaysRestartedComesBackAndSaysWhatItWas) {
  make_pod("containers: [{name: main, image: 'web:1'}]");
  const std::string before = container()[keys::kContainerID].string();
  turn_off_and_on();
  EXPECT_EQ(phase(), "Running");
  EXPECT_TRUE(is_running());
  EXPECT_EQ(restarts(), 1);
  EXPECT_EQ(last_end(), "255 Unknown");
  EXPECT_EQ(container()[keys::kLastState][keys::kTerminated][keys::kContainerID].string(), before);
  EXPECT_EQ(log_of("main", false), "1.log");
  EXPECT_EQ(log_of("main", true), "0.log");
  EXPECT_EQ(messages_of("SandboxChanged").size(), 1U);
}

TEST_F(MachineOff, APodThatIsNeverRestartedHasFailed) {
  make_pod("restartPolicy: Never, containers: [{name: main, image: 'web:1'}, {name: failed, image: fails}]");
  ASSERT_EQ(end(1), "3 Error");
  turn_off_and_on();
  EXPECT_EQ(phase(), "Failed");
  EXPECT_EQ(end(0), "255 Unknown");
  EXPECT_EQ(end(1), "3 Error");
  EXPECT_EQ(restarts(0) + restarts(1), 0);
  EXPECT_TRUE(messages_of("SandboxChanged").empty());
}

TEST_F(MachineOff, WhatEndedWellUnderOnFailureDoesNotRunAgain) {
  make_pod("restartPolicy: OnFailure, containers: [{name: main, image: 'web:1'}, {name: done, image: ends}]");
  ASSERT_EQ(end(1), "0 Completed");
  turn_off_and_on();
  EXPECT_EQ(phase(), "Running");
  EXPECT_TRUE(is_running(0));
  EXPECT_EQ(restarts(0), 1);
  EXPECT_EQ(end(1), "0 Completed");
  EXPECT_EQ(restarts(1), 0);
  EXPECT_EQ(log_of("done", false), "0.log");
}

TEST_F(MachineOff, InitContainersDoTheirPartOnceMore) {
  make_pod("initContainers: [{name: prepare, image: ends}], containers: [{name: main, image: 'web:1'}]");
  ASSERT_TRUE(is_running());
  turn_off_and_on();
  EXPECT_TRUE(is_running());
  const Value& init = pod()[keys::kStatus][keys::kInitContainerStatuses].items()[0];
  EXPECT_EQ(init[keys::kRestartCount].as_int(), 1);
  EXPECT_EQ(end_of(init[keys::kState]), "0 Completed");
  EXPECT_EQ(end_of(init[keys::kLastState]), "0 Completed");
}

TEST_F(MachineOff, TheLogsOfAPodThatHasEndedCanStillBeRead) {
  make_pod("restartPolicy: Never, containers: [{name: main, image: ends}]");
  ASSERT_EQ(phase(), "Succeeded");
  turn_off_and_on();
  EXPECT_EQ(phase(), "Succeeded");
  EXPECT_EQ(log_of("main", false), "0.log");
}

TEST_F(MachineOff, NothingOfFormerLivesIsLeftOfADeletedPod) {
  make_pod("containers: [{name: main, image: 'web:1'}]");
  for (int i = 0; i < 3; ++i) turn_off_and_on();
  const auto sandboxes = [this] {
    size_t count = 0;
    runtime.list_pod_sandboxes([&](const Result<std::vector<PodSandboxStatus>>& all) { count = all->size(); });
    run(seconds(1));
    return count;
  };
  EXPECT_EQ(restarts(), 3);
  EXPECT_EQ(sandboxes(), 2U);  // its own, and the one in which the container before ran
  remove(kinds::kPods, "default", "web");
  run(minutes(1));
  EXPECT_EQ(sandboxes(), 0U);
}

TEST_F(MachineOff, APodThatIsDeletedMeanwhileLeavesNothing) {
  make_pod("containers: [{name: main, image: 'web:1'}]");
  kubelet.reset();
  runtime.power_off();
  remove(kinds::kPods, "default", "web", 0);
  start_agent();
  run(seconds(30));
  size_t count = 1;
  runtime.list_pod_sandboxes([&](const Result<std::vector<PodSandboxStatus>>& all) { count = all->size(); });
  run(seconds(1));
  EXPECT_EQ(count, 0U);
}

// --- a shutdown that is announced ---

class Shutdown : public MachineOff {
 protected:
  // How long it takes.
  Duration shut_down() {
    const Instant begun = executor.now();
    std::optional<Instant> ended;
    kubelet->shut_down(seconds(30), [&] { ended = executor.now(); });
    run(minutes(2));
    EXPECT_TRUE(ended);
    kubelet.reset();
    runtime.power_off();
    start_agent();
    run(seconds(30));
    return ended.value_or(executor.now()) - begun;
  }
};

TEST_F(Shutdown, ContainersAreAskedToEnd) {
  make_pod("containers: [{name: main, image: 'web:1'}]");
  EXPECT_LT(shut_down(), seconds(5));
  EXPECT_EQ(last_end(), "0 Completed");
  EXPECT_EQ(restarts(), 1);
}

TEST_F(Shutdown, HooksRunBeforeTheSignal) {
  make_pod("containers: [{name: main, image: 'web:1', lifecycle: {preStop: {sleep: {seconds: 7}}}}]");
  const Duration took = shut_down();
  EXPECT_GE(took, seconds(7));
  EXPECT_LT(took, seconds(12));
  EXPECT_EQ(last_end(), "0 Completed");
}

TEST_F(Shutdown, WhoDoesNotListenIsKilledWhenItsGraceIsOver) {
  make_pod("terminationGracePeriodSeconds: 5, containers: [{name: main, image: deaf}]");
  EXPECT_LT(shut_down(), seconds(8));
  EXPECT_EQ(last_end(), "137 Error");
}

TEST_F(Shutdown, NobodyHasMoreThanTheMachineGives) {
  make_pod("terminationGracePeriodSeconds: 3600, containers: [{name: main, image: deaf}]");
  EXPECT_LT(shut_down(), seconds(33));
  EXPECT_EQ(last_end(), "137 Error");
}

TEST_F(Shutdown, ThePodsStayAsTheyWere) {
  make_pod("restartPolicy: Never, containers: [{name: main, image: 'web:1'}]");
  bool ended = false;
  kubelet->shut_down(seconds(30), [&] { ended = true; });
  run(minutes(1));
  EXPECT_TRUE(ended);
  EXPECT_EQ(phase(), "Running");
  add("{apiVersion: v1, kind: Pod, metadata: {name: late, namespace: default}, spec: {nodeName: a, containers: [{name: c, image: c}]}}");
  run(minutes(1));
  EXPECT_TRUE(store.find(kinds::kPods, "default", "late")[keys::kStatus][keys::kContainerStatuses].empty());
}

// --- whole clusters ---

TEST(PowerLoss, ImagesAreStillOnTheDisk) {
  FaultyRun run(R"(
  faults:
  - {at: 3m, for: 10m, registryOutage: {}}
  - {at: 5m, for: 15s, crashNodes: {names: [node-0]}}
)");
  run.to(minutes(7));
  EXPECT_FALSE(run.any_container("ImagePullBackOff"));
  EXPECT_EQ(run.available(), 6);
}

TEST(PowerLoss, AJobThatMayNotFailHasFailedAndRanOnce) {
  FaultyRun run(R"(
  - apiVersion: batch/v1
    kind: Job
    metadata: {name: once}
    spec:
      backoffLimit: 0
      template: {spec: {restartPolicy: Never, containers: [{name: once, image: "once:1"}]}}
  faults:
  - {at: 2m, for: 15s, crashNodes: {count: 3}}
)",
                1, "{match: \"once:*\", exitAfter: 20m}");
  run.to(minutes(5));
  const Value& job = run.store().find(kinds::kJobs, "default", "once");
  EXPECT_EQ(job[keys::kStatus]["failed"].as_int(), 1) << to_json(job[keys::kStatus]);
  EXPECT_EQ(run.count([](const Value& pod) { return pod[keys::kMetadata][keys::kName].as_string().starts_with("once"); }), 1);
  EXPECT_EQ(run.count([](const Value& pod) {
    return pod[keys::kMetadata][keys::kName].as_string().starts_with("once") &&
           pod[keys::kStatus][keys::kContainerStatuses].items()[0][keys::kRestartCount].as_int() > 0;
  }), 0);
}

TEST(PowerLoss, TheNodeSaysThatItWasRebooted) {
  FaultyRun run("  faults:\n  - {at: 2m, for: 3m, crashNodes: {names: [node-1]}}");
  run.to(minutes(6));
  std::vector<std::string> reasons;
  run.store().for_each(kinds::kEvents, [&](const Value& event) {
    if (event["involvedObject"][keys::kName].as_string() == "node-1" && event["source"]["component"].as_string() == "kubelet") {
      reasons.push_back(event[keys::kReason].string());
    }
  });
  std::ranges::sort(reasons);
  EXPECT_EQ(reasons, (std::vector<std::string>{"NodeHasNoDiskPressure", "NodeHasSufficientMemory", "NodeHasSufficientPID", "NodeReady",
                                               "Rebooted", "Starting", "Starting"}));
}

}  // namespace
}  // namespace minik::sim
