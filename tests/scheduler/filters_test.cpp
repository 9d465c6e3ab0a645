// Which node may take a pod, and what a user reads when none may.
#include "tests/scheduler/scheduler_world.h"

namespace minik::control {
namespace {

using Filters = SchedulerWorld;

TEST_F(Filters, BindsToTheOneNodeWithRoomAndSaysSo) {
  add_node("small", "500m");
  add_node("large", "4");
  add_pod("web", requests("1"));
  run();
  EXPECT_EQ(node_of("web"), "large");
  EXPECT_EQ(condition("web")[keys::kStatus].as_string(), "True");
  EXPECT_EQ(events_of("web"),
            (std::vector<std::string>{"Scheduled: Successfully assigned default/web to large"}));
}

TEST_F(Filters, NamesEveryResourceThatIsShort) {
  add_node("a", "500m", "1Gi");
  add_node("b", "8", "1Gi");
  add_node("c", "8", "64Gi", "", "", "example.com/gpu: \"1\"");
  add_pod("web", "resources: {requests: {cpu: 1, memory: 2Gi}, limits: {example.com/gpu: \"2\"}}");
  run();
  EXPECT_TRUE(why_pending("web").starts_with(
      "0/3 nodes are available: 1 Insufficient cpu, 2 Insufficient memory, 3 Insufficient "
      "example.com/gpu."))
      << why_pending("web");
}

TEST_F(Filters, CountsInitContainersSidecarsAndOverheadAsTheKubeletWill) {
  add_node("a", "2");
  // The largest moment: the sidecar (500m) beside the second init container (1700m).
  add_pod("web", requests("100m"),
          "initContainers: [{name: side, image: \"demo:1\", restartPolicy: Always, resources: "
          "{requests: {cpu: 500m}}},"
          " {name: once, image: \"demo:1\", resources: {requests: {cpu: 1700m}}}]");
  run();
  EXPECT_TRUE(why_pending("web").starts_with("0/1 nodes are available: 1 Insufficient cpu."));
}

TEST_F(Filters, StopsAtANodesNumberOfPods) {
  add("{apiVersion: v1, kind: Node, metadata: {name: a}, status: {allocatable: {cpu: 4, memory: "
      "8Gi, pods: 1}}}");
  add_pod("first");
  run();
  add_pod("second");
  run();
  EXPECT_EQ(node_of("first"), "a");
  EXPECT_TRUE(why_pending("second").starts_with("0/1 nodes are available: 1 Too many pods."));
}

TEST_F(Filters, CountsTaintsSelectorsAndCordonsApart) {
  add_node("a", "4", "8Gi", "", "taints: [{key: team, value: blue, effect: NoSchedule}]");
  add_node("b", "4", "8Gi", "", "unschedulable: true");
  add_node("c", "4", "8Gi", "disk: hdd");
  add_pod("web", "", "nodeSelector: {disk: ssd}");
  run();
  EXPECT_EQ(why_pending("web").substr(0, why_pending("web").find(" no new claims")),
            "0/3 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
            "1 node(s) had untolerated taint {team: blue}, 1 node(s) were unschedulable.");
  EXPECT_EQ(condition("web")[keys::kReason].as_string(), "Unschedulable");
  EXPECT_EQ(events_of("web").at(0), cat("FailedScheduling: ", why_pending("web")));
}

TEST_F(Filters, ATolerationOpensATaintedNode) {
  add_node("a", "4", "8Gi", "", "taints: [{key: team, value: blue, effect: NoExecute}]");
  add_pod("wrong", "", "tolerations: [{key: team, value: red, operator: Equal}]");
  add_pod("right", "", "tolerations: [{key: team, operator: Exists, effect: NoExecute}]");
  run();
  EXPECT_EQ(node_of("wrong"), "");
  EXPECT_EQ(node_of("right"), "a");
}

TEST_F(Filters, NodeAffinityKnowsEveryOperator) {
  add_node("old", "4", "8Gi", "generation: \"3\", disk: hdd");
  add_node("new", "4", "8Gi", "generation: \"7\", disk: ssd");
  const auto affine = [](const std::string& term) {
    return cat(
        "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
        "{nodeSelectorTerms: [",
        term, "]}}}");
  };
  add_pod("gt", "",
          affine("{matchExpressions: [{key: generation, operator: Gt, values: [\"5\"]}]}"));
  add_pod("lt", "",
          affine("{matchExpressions: [{key: generation, operator: Lt, values: [\"5\"]}]}"));
  add_pod("in", "", affine("{matchExpressions: [{key: disk, operator: In, values: [ssd, nvme]}]}"));
  add_pod("notin", "", affine("{matchExpressions: [{key: disk, operator: NotIn, values: [ssd]}]}"));
  add_pod("field", "",
          affine("{matchFields: [{key: metadata.name, operator: In, values: [new]}]}"));
  add_pod("none", "", affine("{matchExpressions: [{key: disk, operator: DoesNotExist}]}"));
  add_pod("either", "",
          affine("{matchExpressions: [{key: x, operator: Exists}]}, "
                 "{matchExpressions: [{key: disk, operator: In, values: [hdd]}]}"));
  run();
  EXPECT_EQ(node_of("gt"), "new");
  EXPECT_EQ(node_of("lt"), "old");
  EXPECT_EQ(node_of("in"), "new");
  EXPECT_EQ(node_of("notin"), "old");
  EXPECT_EQ(node_of("field"), "new");
  EXPECT_EQ(node_of("none"), "");
  EXPECT_EQ(node_of("either"), "old");
}

TEST_F(Filters, SaysThatThereAreNoNodes) {
  add_pod("web");
  run();
  EXPECT_EQ(why_pending("web"), "no nodes available to schedule pods");
}

TEST_F(Filters, ADeletedPodMakesRoomForTheOneThatWaits) {
  add_node("a", "1");
  add_pod("first", requests("800m"));
  run();
  add_pod("second", requests("800m"));
  run(seconds(5));
  EXPECT_EQ(node_of("second"), "");
  remove(kinds::kPods, "default", "first");
  run(seconds(30));
  EXPECT_EQ(node_of("second"), "a");
}

TEST_F(Filters, HostPortsMayNotMeet) {
  add_node("a");
  const auto port = [](const std::string& more) {
    return cat("ports: [{containerPort: 80, hostPort: 8080", more, "}]");
  };
  add_pod("first", port(", hostIP: 127.0.0.1"));
  run();
  add_pod("udp", port(", protocol: UDP"));
  add_pod("elsewhere", port(", hostIP: 10.0.0.1"));
  add_pod("everywhere", port(""));
  run();
  EXPECT_EQ(node_of("udp"), "a");
  EXPECT_EQ(node_of("elsewhere"), "a");
  EXPECT_TRUE(why_pending("everywhere")
                  .starts_with("0/1 nodes are available: 1 node(s) didn't have free ports for the "
                               "requested pod ports."));
}

TEST_F(Filters, ACordonedNodeTakesPodsThatTolerateIt) {
  add_node("a", "4", "8Gi", "", "unschedulable: true");
  add_pod("web");
  add_pod("daemon", "",
          "tolerations: [{key: node.kubernetes.io/unschedulable, operator: Exists, effect: "
          "NoSchedule}]");
  run();
  EXPECT_EQ(node_of("web"), "");
  EXPECT_EQ(node_of("daemon"), "a");
  ASSERT_TRUE(patch(kinds::kNodes, "", "a", R"({"spec":{"unschedulable":null}})"));
  run();
  EXPECT_EQ(node_of("web"), "a");
}

TEST_F(Filters, APodThatNamesItsOneNodeSaysSoOfTheOthers) {
  add_node("a", "100m");
  add_node("b");
  add_node("c");
  add_pod(
      "daemon", requests("1"),
      "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
      "{nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [a]}]}]}}}");
  run();
  EXPECT_TRUE(
      why_pending("daemon").starts_with("0/3 nodes are available: 1 Insufficient cpu, 2 node(s) "
                                        "didn't satisfy plugin(s) [NodeAffinity]."))
      << why_pending("daemon");
}

TEST_F(Filters, PodsWithGatesWaitUntilTheyAreGone) {
  add_node("a");
  add_pod("web", "", "schedulingGates: [{name: example.com/quota}]");
  run(seconds(20));
  EXPECT_EQ(node_of("web"), "");
  EXPECT_EQ(condition("web")[keys::kReason].as_string(), "SchedulingGated");
  EXPECT_EQ(condition("web")[keys::kMessage].as_string(),
            "Scheduling is blocked due to non-empty scheduling gates");
  EXPECT_NE(metrics.text().find("scheduler_pending_pods{queue=\"gated\"} 1"), std::string::npos);
  ASSERT_TRUE(patch(kinds::kPods, "default", "web", R"({"spec":{"schedulingGates":null}})"));
  run();
  EXPECT_EQ(node_of("web"), "a");
}

TEST_F(Filters, LeavesPodsOfOtherSchedulersAlone) {
  add_node("a");
  add_pod("theirs", "", "schedulerName: custom");
  run(seconds(10));
  EXPECT_EQ(node_of("theirs"), "");
  EXPECT_TRUE(events_of("theirs").empty());
}

}  // namespace
}  // namespace minik::control
