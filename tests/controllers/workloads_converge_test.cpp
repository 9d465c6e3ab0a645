// DaemonSets and StatefulSets under trouble.
#include "control/base/text.h"
#include "tests/controllers/converge.h"

namespace minik::sim {
namespace {

std::string daemon_set(std::string_view bounds) {
  return cat(R"(
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  updateStrategy: {rollingUpdate: )",
             bounds, R"(}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: "agent:1"}]}
)");
}

std::string stateful_set(std::string_view policy, int replicas, std::string_view further = "") {
  return cat(R"(
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: agent}
spec:
  replicas: )",
             replicas, "\n  podManagementPolicy: ", policy, "\n", further, R"(
  serviceName: agent
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: main, image: "agent:1"}]}
)");
}

constexpr std::string_view kNewImage =
    R"({"spec":{"template":{"spec":{"containers":[{"name":"main","image":"agent:2"}]}}}})";

ConvergenceCase rollout_of(std::string_view kind, std::string name, std::string_view manifest) {
  ConvergenceCase story;
  story.nodes = 5;
  story.changes = apply_at(seconds(0), manifest);
  // Late enough that the first template has its revision by then: it is part of the history.
  story.changes.push_back(merge_patch_at(seconds(80), kind, std::move(name), kNewImage));
  story.trouble = seconds(220);
  return story;
}

TEST(Convergence, ADaemonSetEndsWithOneNewPodOnEachNode) {
  expect_convergence(
      rollout_of("daemonsets", "agent", daemon_set("{maxUnavailable: 2, maxSurge: 0}")));
}

TEST(Convergence, ASurgingDaemonSetEndsWithOneNewPodOnEachNode) {
  expect_convergence(
      rollout_of("daemonsets", "agent", daemon_set("{maxUnavailable: 0, maxSurge: 2}")));
}

TEST(Convergence, NothingIsLeftOfADeletedDaemonSet) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), daemon_set("{maxUnavailable: 1, maxSurge: 0}"));
  story.changes.push_back(delete_at(seconds(20), "daemonsets", "agent"));
  expect_convergence(story);
}

TEST(Convergence, AnOrderedStatefulSetEndsWithTheNewPods) {
  expect_convergence(rollout_of("statefulsets", "agent", stateful_set("OrderedReady", 3)));
}

TEST(Convergence, AParallelStatefulSetKeepsThePodsBelowItsPartition) {
  expect_convergence(
      rollout_of("statefulsets", "agent",
                 stateful_set("Parallel", 5, "  updateStrategy: {rollingUpdate: {partition: 2}}")));
}

TEST(Convergence, StatefulSetsThatReplaceSeveralPodsAtOnceEndWithTheNewPods) {
  for (const auto* policy : {"OrderedReady", "Parallel"}) {
    expect_convergence(rollout_of("statefulsets", "agent",
                                  stateful_set(policy, 5, "  updateStrategy: {rollingUpdate: {partition: 1, maxUnavailable: 50%}}")));
  }
}

TEST(Convergence, AStatefulSetScaledUpAndDownEndsAtTheLastNumber) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), stateful_set("OrderedReady", 2));
  story.changes.push_back(
      merge_patch_at(seconds(15), "statefulsets", "agent", R"({"spec":{"replicas":6}})"));
  story.changes.push_back(
      merge_patch_at(seconds(25), "statefulsets", "agent", R"({"spec":{"replicas":3}})"));
  expect_convergence(story);
}

TEST(Convergence, NothingIsLeftOfADeletedStatefulSet) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), stateful_set("Parallel", 4));
  story.changes.push_back(delete_at(seconds(20), "statefulsets", "agent"));
  expect_convergence(story);
}

TEST(Convergence, TheClaimsOfPodsThatAreScaledAwayGoWithThemAndComeAgain) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), stateful_set("Parallel", 4, R"(
  persistentVolumeClaimRetentionPolicy: {whenScaled: Delete, whenDeleted: Retain}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}})"));
  // Late enough that every claim has its pod, however often the controllers died between the two: one without is
  // nobody's to remove, as in Kubernetes.
  story.changes.push_back(
      merge_patch_at(seconds(300), "statefulsets", "agent", R"({"spec":{"replicas":1}})"));
  story.changes.push_back(
      merge_patch_at(seconds(330), "statefulsets", "agent", R"({"spec":{"replicas":3}})"));
  story.trouble = seconds(320);
  story.state = [](const control::Store& store) {
    // Volumes have names by chance.
    std::string text;
    const std::string all = settled_state(store);
    for (const auto line : split(all, '\n')) {
      if (line.starts_with("pods") || line.starts_with("persistentvolumeclaims"))
        text += cat(line.substr(0, line.find('{')), "\n");
    }
    return text;
  };
  expect_convergence(story);
}

TEST(Convergence, ADaemonSetIsWholeAgainWhenItsDeadNodeIsBack) {
  ConvergenceCase story =
      rollout_of("daemonsets", "agent", daemon_set("{maxUnavailable: 1, maxSurge: 0}"));
  story.events.emplace_back(seconds(70),
                            [](SimulatedCluster& cluster) { cluster.crash_node("node-2"); });
  story.events.emplace_back(seconds(150),
                            [](SimulatedCluster& cluster) { cluster.start_node("node-2"); });
  expect_convergence(story);
}

}  // namespace
}  // namespace minik::sim
