// Who must go so that a more important pod can come.
#include <algorithm>

#include "tests/scheduler/scheduler_world.h"

namespace minik::control {
namespace {

class PreemptionRules : public SchedulerWorld {
 protected:
  PreemptionRules() {
    for (const auto& [name, value] :
         {std::pair{"low", 10}, std::pair{"mid", 100}, std::pair{"high", 1000}}) {
      add(cat("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: ", name,
              "}, value: ", value, "}"));
    }
    add("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: polite}, value: "
        "1000, "
        "preemptionPolicy: Never}");
  }
  void add_of(const std::string& priority, const std::string& name, const std::string& cpu,
              const std::string& spec = "", const std::string& metadata = "") {
    add_pod(name, requests(cpu),
            cat("priorityClassName: ", priority, spec.empty() ? "" : ", ", spec), metadata);
  }
  bool there(const std::string& name) const { return pod(name).has_value(); }
};

TEST_F(PreemptionRules, EvictsAndTakesTheRoom) {
  add_node("a", "1");
  add_of("low", "victim", "800m");
  run();
  add_of("high", "chief", "800m");
  run(milliseconds(1));
  EXPECT_FALSE(there("victim"));
  EXPECT_EQ(node_of("chief"), "a");
  const auto told = events_of("victim");
  EXPECT_EQ(std::ranges::count(
                told, cat("Preempted: Preempted by pod ", object_uid(pod("chief")), " on node a")),
            1);
  EXPECT_EQ(events_of("chief").front(),
            "FailedScheduling: 0/1 nodes are available: 1 Insufficient cpu.");
}

TEST_F(PreemptionRules, NominatesWhileTheVictimEndsGracefully) {
  add_node("a", "1");
  add("{apiVersion: v1, kind: Pod, metadata: {name: victim, namespace: default}, spec: "
      "{priorityClassName: low, "
      "terminationGracePeriodSeconds: 30, containers: [{name: m, image: x, resources: {requests: "
      "{cpu: 800m}}}]}}");
  run();
  add_of("high", "chief", "800m");
  run(seconds(5));
  ASSERT_TRUE(there("victim"));
  EXPECT_TRUE(is_deleting(pod("victim")));
  const Value target = condition("victim", "DisruptionTarget");
  EXPECT_EQ(target[keys::kStatus].as_string(), "True");
  EXPECT_EQ(target[keys::kReason].as_string(), "PreemptionByScheduler");
  EXPECT_EQ(target[keys::kMessage].as_string(),
            "default-scheduler: preempting to accommodate a higher priority pod");
  EXPECT_EQ(pod("chief")[keys::kStatus][keys::kNominatedNodeName].as_string(), "a");
  // Nobody of less importance slips into the room that is being made.
  add_of("mid", "thief", "100m");
  run(seconds(5));
  EXPECT_EQ(node_of("thief"), "");
  remove(kinds::kPods, "default", "victim", 0);
  run(seconds(5));
  EXPECT_EQ(node_of("chief"), "a");
  EXPECT_TRUE(pod("chief")[keys::kStatus][keys::kNominatedNodeName].is_absent());
  EXPECT_EQ(node_of("thief"), "a") << "200m are left over";
}

TEST_F(PreemptionRules, ANominationOutlivesTheScheduler) {
  add_node("a", "1");
  add("{apiVersion: v1, kind: Pod, metadata: {name: victim, namespace: default}, spec: "
      "{priorityClassName: low, "
      "terminationGracePeriodSeconds: 30, containers: [{name: m, image: x, resources: {requests: "
      "{cpu: 800m}}}]}}");
  run();
  add_of("high", "chief", "1");
  run();
  restart_scheduler();
  run();
  EXPECT_TRUE(why_pending("chief").ends_with(
      "preemption: not eligible due to a terminating pod on the nominated node."))
      << why_pending("chief");
  EXPECT_EQ(pod("chief")[keys::kStatus][keys::kNominatedNodeName].as_string(), "a");
}

TEST_F(PreemptionRules, LeavesEqualsAndBettersAlone) {
  add_node("a", "1");
  add_node("b", "100m");
  add_of("high", "first", "800m");
  run();
  add_of("high", "second", "800m");
  run(seconds(30));
  EXPECT_EQ(node_of("second"), "");
  EXPECT_EQ(why_pending("second"),
            "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: "
            "1 No preemption victims found for incoming pod, 1 Preemption is not helpful for "
            "scheduling.");
}

TEST_F(PreemptionRules, PolicyNeverWaits) {
  add_node("a", "1");
  add_of("low", "victim", "800m");
  run();
  add_of("polite", "guest", "800m");
  run(seconds(30));
  EXPECT_TRUE(there("victim"));
  EXPECT_EQ(why_pending("guest"),
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: not eligible due to "
            "preemptionPolicy=Never.");
}

TEST_F(PreemptionRules, SaysWhatEvictionsCannotHelp) {
  add_node("a", "1", "8Gi", "", "taints: [{key: x, effect: NoSchedule}]");
  add_node("b", "1");
  add_of("high", "giant", "2");
  run();
  EXPECT_EQ(why_pending("giant"),
            "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {x: }. "
            "no new claims to deallocate, preemption: 0/2 "
            "nodes are available: 2 Preemption is not helpful for scheduling.");
}

TEST_F(PreemptionRules, TakesTheLeastImportantAndAsFewAsPossible) {
  add_node("a", "2");
  add_of("low", "small", "500m");
  add_of("mid", "middle", "500m");
  add_of("low", "large", "1");
  run();
  add_of("high", "chief", "400m");
  run();
  // One of the two low ones is enough; the younger, or by name the later, goes.
  EXPECT_EQ(node_of("chief"), "a");
  EXPECT_TRUE(there("middle"));
  EXPECT_NE(there("small"), there("large"));
}

TEST_F(PreemptionRules, PrefersTheNodeWithTheLowestVictims) {
  add_node("a", "1");
  add_node("b", "1");
  add_of("mid", "middle", "900m", "nodeSelector: {kubernetes.io/hostname: a}");
  add_of("low", "low", "900m", "nodeSelector: {kubernetes.io/hostname: b}");
  run();
  add_of("high", "chief", "900m");
  run();
  EXPECT_EQ(node_of("chief"), "b");
  EXPECT_TRUE(there("middle"));
}

TEST_F(PreemptionRules, PrefersNodesWhereNoBudgetBreaks) {
  add_node("a", "1");
  add_node("b", "1");
  add("{apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: keep, namespace: "
      "default}, "
      "spec: {minAvailable: 1, selector: {matchLabels: {app: kept}}}}");
  add_of("low", "kept", "900m", "nodeSelector: {kubernetes.io/hostname: a}", "labels: {app: kept}");
  add_of("mid", "free", "900m", "nodeSelector: {kubernetes.io/hostname: b}");
  run();
  add_of("high", "chief", "900m");
  run();
  EXPECT_EQ(node_of("chief"), "b");
  EXPECT_TRUE(there("kept"));
  // When nothing else is left, the budget does not protect.
  add_of("high", "second", "900m");
  run();
  EXPECT_EQ(node_of("second"), "a");
}

TEST_F(PreemptionRules, FreesAnAntiAffineNode) {
  add_node("a", "4");
  const std::string apart =
      "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: "
      "kubernetes.io/hostname, labelSelector: {matchLabels: {app: web}}}]}}";
  add_of("low", "web", "100m", "", "labels: {app: web}");
  add_of("low", "bystander", "100m");
  run();
  add_of("high", "chief", "100m", apart);
  run();
  EXPECT_EQ(node_of("chief"), "a");
  EXPECT_FALSE(there("web"));
  EXPECT_TRUE(there("bystander"));
}

TEST_F(PreemptionRules, FreesAHostPort) {
  add_node("a", "4");
  add_pod("holder", "ports: [{containerPort: 80, hostPort: 80}]", "priorityClassName: low");
  add_of("low", "bystander", "100m");
  run();
  add_pod("chief", "ports: [{containerPort: 80, hostPort: 80}]", "priorityClassName: high");
  run();
  EXPECT_EQ(node_of("chief"), "a");
  EXPECT_FALSE(there("holder"));
  EXPECT_TRUE(there("bystander"));
}

TEST_F(PreemptionRules, EachPreemptorMakesItsOwnRoom) {
  for (int i = 0; i < 4; ++i) {
    add_node(cat("n", i), "1");
    add_of("low", cat("low-", i), "900m");
  }
  run();
  for (int i = 0; i < 3; ++i) add_of("high", cat("chief-", i), "900m");
  run(seconds(5));
  std::set<std::string> nodes;
  int survivors = 0;
  for (int i = 0; i < 3; ++i) nodes.insert(node_of(cat("chief-", i)));
  for (int i = 0; i < 4; ++i) survivors += there(cat("low-", i)) ? 1 : 0;
  EXPECT_EQ(nodes.size(), 3U);
  EXPECT_FALSE(nodes.contains(""));
  EXPECT_EQ(survivors, 1);
}

TEST_F(PreemptionRules, PrioritiesComeFromTheClassOrTheDefaultOne) {
  add_pod("plain");
  EXPECT_EQ(pod("plain")[keys::kSpec][keys::kPriority].as_int(-1), 0);
  add("{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: usual}, value: 7, "
      "globalDefault: "
      "true, preemptionPolicy: Never}");
  add_pod("later");
  EXPECT_EQ(pod("later")[keys::kSpec][keys::kPriority].as_int(), 7);
  EXPECT_EQ(pod("later")[keys::kSpec][keys::kPriorityClassName].as_string(), "usual");
  EXPECT_EQ(pod("later")[keys::kSpec][keys::kPreemptionPolicy].as_string(), "Never");
  ApiRequest request;
  request.verb = Verb::kCreate;
  request.kind = kinds::kPods;
  request.namespace_ = "default";
  request.body = *parse_json(
      R"({"metadata":{"name":"cheat"},"spec":{"priority":9,"containers":[{"name":"m","image":"x"}]}})");
  const auto refused = call(std::move(request));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(
      refused.error().message.ends_with("the integer value of priority (9) must not be provided in "
                                        "pod spec; priority admission controller computed "
                                        "7 from the given PriorityClass name"));
}

TEST_F(PreemptionRules, MoreImportantPodsAreTakenFirst) {
  add_of("low", "low", "800m");
  add_of("mid", "mid", "800m");
  add_of("high", "high", "800m");
  run();
  add_node("a", "1");
  run(seconds(15));
  EXPECT_EQ(node_of("high"), "a");
  EXPECT_EQ(node_of("mid"), "");
  EXPECT_EQ(node_of("low"), "");
}

}  // namespace
}  // namespace minik::control
