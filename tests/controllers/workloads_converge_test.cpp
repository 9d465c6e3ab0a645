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

constexpr std::string_view kNewImage =
    R"({"spec":{"template":{"spec":{"containers":[{"name":"main","image":"agent:2"}]}}}})";

ConvergenceCase rollout_of(std::string_view kind, std::string name, std::string_view manifest) {
  ConvergenceCase story;
  story.nodes = 5;
  story.changes = apply_at(seconds(0), manifest);
  // Late enough that the first template has its revision by then: it is part of the history.
  story.changes.push_back(merge_patch_at(seconds(80), kind, std::move(name), kNewImage));
  story.trouble = seconds(160);
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

}  // namespace
}  // namespace minik::sim
