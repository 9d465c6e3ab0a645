#include "control/controllers/daemon_set.h"

#include "control/base/text.h"
#include "control/controllers/revisions.h"
#include "decision_world.h"

namespace minik::control {
namespace {

struct SetFacts {
  std::string image = "agent:1", strategy = "{maxUnavailable: 1, maxSurge: 0}",
              type = "RollingUpdate";
  std::string pod_spec = {};  // further lines of the template's spec
  int min_ready = 0, history = 10;
};

std::string set_of(const SetFacts& facts = {}) {
  const std::string rolling =
      facts.type == "OnDelete" ? "" : cat(", rollingUpdate: ", facts.strategy);
  return cat(R"(
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent, namespace: default, uid: set-1, generation: 2, resourceVersion: "1"}
spec:
  minReadySeconds: )",
             facts.min_ready, "\n  revisionHistoryLimit: ", facts.history,
             "\n  selector: {matchLabels: {app: agent}}\n  updateStrategy: {type: ", facts.type,
             rolling, "}\n  template:\n    metadata: {labels: {app: agent}}\n    spec: {",
             facts.pod_spec, "containers: [{name: agent, image: '", facts.image, "'}]}\n");
}

std::string node_of(std::string_view name, std::string_view labels = "",
                    std::string_view taints = "") {
  return cat("\n---\napiVersion: v1\nkind: Node\nmetadata: {name: ", name, ", labels: {", labels,
             "}}\nspec: {taints: [", taints, "]}\n");
}

class DaemonSet : public ::testing::Test {
 protected:
  static Plan decide(const std::string& yaml) {
    DecisionWorld fresh(daemon_set_controller());
    fresh.add(yaml);
    return fresh.decide("default", "agent");
  }
  // The hash that a set's pods carry, as the controller makes it.
  static std::string hash_of(const SetFacts& facts = {}) {
    for (const auto& write : decide(set_of(facts)).writes) {
      if (write.request.kind != kinds::kControllerrevisions) continue;
      return std::string(revision_label_of(write.request.body));
    }
    return {};
  }
  static std::string revision_of(const SetFacts& facts, int number) {
    const std::string hash = hash_of(facts);
    return cat(
        "\n---\napiVersion: apps/v1\nkind: ControllerRevision\nmetadata:\n  name: agent-", hash,
        "\n  namespace: default\n  uid: rev-", hash,
        "\n  resourceVersion: '3'\n  labels: {app: agent, "
        "controller-revision-hash: ",
        hash,
        "}\n  ownerReferences: [{apiVersion: apps/v1, kind: "
        "DaemonSet, name: agent, uid: set-1, controller: true}]\nrevision: ",
        number,
        "\ndata: {spec: {template: {$patch: replace, metadata: {labels: {app: agent}}, spec: {",
        facts.pod_spec, "containers: [{name: agent, image: '", facts.image, "'}]}}}}\n");
  }
  static std::string pod_of(std::string_view name, std::string_view node,
                            const SetFacts& made_from = {},
                            std::string_view ready_since = "2026-03-01T11:00:00Z",
                            std::string_view phase = "Running") {
    const std::string conditions =
        ready_since.empty()
            ? ""
            : cat("{type: Ready, status: 'True', lastTransitionTime: '", ready_since, "'}");
    return cat(
        "\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: ", name,
        "\n  namespace: default\n  uid: uid-", name,
        "\n  resourceVersion: '5'\n  creationTimestamp: '2026-03-01T10:00:00Z'\n  labels: {app: "
        "agent, "
        "controller-revision-hash: ",
        hash_of(made_from),
        "}\n  ownerReferences: [{apiVersion: apps/v1, kind: DaemonSet, name: agent, uid: set-1, "
        "controller: true}]\nspec: {nodeName: '",
        node, "'}\nstatus: {phase: ", phase, ", conditions: [", conditions, "]}\n");
  }
  // What happens to pods and revisions, one a line: the status apart.
  static std::string deeds(const Plan& plan) {
    std::string text;
    const std::string all = text_of(plan);
    for (const auto& line : split(all, '\n')) {
      if (!line.empty() && line.find("/status") == std::string_view::npos)
        text += cat(line.substr(0, line.find(" |")), "\n");
    }
    return text;
  }
  // The node that a created pod is meant for.
  static std::vector<std::string> nodes_given_pods(const Plan& plan) {
    std::vector<std::string> nodes;
    for (const auto& write : plan.writes) {
      if (write.request.verb != Verb::kCreate || write.request.kind != kinds::kPods) continue;
      const Value& required =
          write.request.body[keys::kSpec][keys::kAffinity][keys::kNodeAffinity]
                            [keys::kRequiredDuringSchedulingIgnoredDuringExecution];
      nodes.push_back(required[keys::kNodeSelectorTerms]
                          .items()[0][keys::kMatchFields]
                          .items()[0][keys::kValues]
                          .items()[0]
                          .string());
    }
    return nodes;
  }
  static Value status_in(const Plan& plan) {
    for (const auto& write : plan.writes) {
      if (write.request.subresource == "status") return write.request.body[keys::kStatus];
    }
    return {};
  }

  const SetFacts v1{}, v2{.image = "agent:2"};
};

using Nodes = std::vector<std::string>;

TEST_F(DaemonSet, GivesEachNodeThatFitsOnePod) {
  const Plan plan =
      decide(set_of({.pod_spec = "nodeSelector: {disk: ssd}, "}) + node_of("a", "disk: ssd") +
             node_of("b", "disk: hdd") + node_of("c", "disk: ssd"));
  EXPECT_EQ(nodes_given_pods(plan), (Nodes{"a", "c"}));
  EXPECT_EQ(status_in(plan)[keys::kDesiredNumberScheduled].as_int(), 2);
}

TEST_F(DaemonSet, KeepsItsNodeAffinityToTheOneNodeInPlaceOfTheTemplatesTerms) {
  const std::string affinity =
      "affinity: {nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
      "{nodeSelectorTerms: "
      "[{matchExpressions: [{key: disk, operator: Exists}]}]}}}, ";
  const Plan plan =
      decide(set_of({.pod_spec = affinity}) + node_of("a", "disk: ssd") + node_of("b"));
  EXPECT_EQ(nodes_given_pods(plan), Nodes{"a"});
}

TEST_F(DaemonSet, RunsOnCordonedAndSickNodesButNotUnderTaintsThatItDoesNotTolerate) {
  const Plan plan = decide(
      set_of() +
      node_of("cordoned", "", "{key: node.kubernetes.io/unschedulable, effect: NoSchedule}") +
      node_of("gone", "", "{key: node.kubernetes.io/unreachable, effect: NoExecute}") +
      node_of("special", "", "{key: gpu, value: 'yes', effect: NoSchedule}"));
  EXPECT_EQ(nodes_given_pods(plan), (Nodes{"cordoned", "gone"}));
}

TEST_F(DaemonSet, StaysUnderANewNoScheduleTaintAndLeavesUnderANoExecuteTaint) {
  const std::string world = set_of() + revision_of(v1, 1) + pod_of("agent-a", "a");
  EXPECT_EQ(deeds(decide(world + node_of("a", "", "{key: gpu, effect: NoSchedule}"))), "");
  EXPECT_EQ(deeds(decide(world + node_of("a", "", "{key: gpu, effect: NoExecute}"))),
            "delete pods agent-a\n");
}

TEST_F(DaemonSet, LeavesANodeThatDoesNotFitAnyMore) {
  const SetFacts picky{.pod_spec = "nodeSelector: {disk: ssd}, "};
  const Plan plan = decide(set_of(picky) + revision_of(picky, 1) + node_of("a", "disk: hdd") +
                           pod_of("agent-a", "a", picky));
  EXPECT_EQ(deeds(plan), "delete pods agent-a\n");
  EXPECT_EQ(status_in(plan)[keys::kNumberMisscheduled].as_int(), 1);
}

TEST_F(DaemonSet, LetsPodsGoBeforeItAsksForOthers) {
  // The creation may be refused by a quota, and the plan ends there.
  EXPECT_EQ(deeds(decide(set_of({.pod_spec = "nodeSelector: {disk: ssd}, "}) +
                         revision_of({.pod_spec = "nodeSelector: {disk: ssd}, "}, 1) + node_of("a", "disk: ssd") +
                         node_of("b", "disk: hdd") + pod_of("agent-b", "b"))),
            "delete pods agent-b\ncreate pods \n");
}

TEST_F(DaemonSet, WritesItsRevisionBeforeItsFirstPod) {
  const Plan plan = decide(set_of() + node_of("a"));
  EXPECT_EQ(deeds(plan), "create controllerrevisions \ncreate pods \n");
  const Value& revision = plan.writes[0].request.body;
  EXPECT_EQ(object_name(revision), cat("agent-", hash_of()));
  EXPECT_EQ(revision[keys::kRevision].as_int(), 1);
  EXPECT_EQ(revision[keys::kData][keys::kSpec][keys::kTemplate].get("$patch").as_string(),
            "replace");
}

TEST_F(DaemonSet, IsSilentWhenAllIsWell) {
  DecisionWorld world(daemon_set_controller());
  const std::string objects = set_of() + revision_of(v1, 1) + node_of("a") + pod_of("agent-a", "a");
  world.add(objects);
  const Value status = status_in(world.decide("default", "agent"));
  world.cache(kinds::kDaemonsets)
      .put(world.cache(kinds::kDaemonsets).find("default", "agent").with(keys::kStatus, status));
  EXPECT_TRUE(world.decide("default", "agent").empty());
  EXPECT_EQ(status[keys::kNumberAvailable].as_int(), 1);
  EXPECT_EQ(status[keys::kObservedGeneration].as_int(), 2);
}

TEST_F(DaemonSet, ReplacesNoMoreOldPodsAtOnceThanMayBeUnavailable) {
  const std::string world =
      set_of({.image = "agent:2", .strategy = "{maxUnavailable: 2, maxSurge: 0}"}) +
      revision_of(v1, 1) + revision_of(v2, 2) + node_of("a") + node_of("b") + node_of("c") +
      node_of("d");
  EXPECT_EQ(deeds(decide(world + pod_of("agent-a", "a") + pod_of("agent-b", "b") +
                         pod_of("agent-c", "c") + pod_of("agent-d", "d"))),
            "delete pods agent-a\ndelete pods agent-b\n");
  // One that is not ready counts, and goes first because it serves nobody.
  EXPECT_EQ(deeds(decide(world + pod_of("agent-a", "a") + pod_of("agent-b", "b") +
                         pod_of("agent-c", "c") + pod_of("agent-d", "d", v1, ""))),
            "delete pods agent-d\ndelete pods agent-a\n");
  // Two new pods that are not available yet: nobody else goes.
  EXPECT_EQ(deeds(decide(world + pod_of("agent-a", "a", v2, "") + pod_of("agent-b", "b", v2, "") +
                         pod_of("agent-c", "c") + pod_of("agent-d", "d"))),
            "");
}

TEST_F(DaemonSet, TellsThatAPodCannotBeDeleted) {
  for (const auto& write : decide(set_of() + revision_of({}, 1) + node_of("a") + pod_of("agent-1", "a") + pod_of("agent-2", "a")).writes) {
    if (write.request.verb != Verb::kDelete) continue;
    ASSERT_TRUE(write.failure_event);
    EXPECT_EQ(write.failure_event->reason, "FailedDelete");
    return;
  }
  FAIL() << "nothing was deleted";
}

TEST_F(DaemonSet, StartsTheNextPodAtOnceWhereItMaySurge) {
  std::string going = pod_of("agent-1", "a");
  going.replace(going.find("resourceVersion: '5'"), 20, "resourceVersion: '5'\n  deletionTimestamp: '2026-03-01T11:59:00Z'");
  const SetFacts surging{.strategy = "{maxUnavailable: 0, maxSurge: 1}"};
  EXPECT_EQ(nodes_given_pods(decide(set_of(surging) + revision_of({}, 1) + node_of("a") + going)),
            std::vector<std::string>{"a"});
  EXPECT_TRUE(nodes_given_pods(decide(set_of() + revision_of({}, 1) + node_of("a") + going)).empty())
      << "two of it at a time are a surge";
}

TEST_F(DaemonSet, SurgesBesideOldPodsAndRemovesThemWhenTheNewOnesServe) {
  const SetFacts surging{.image = "agent:2", .strategy = "{maxUnavailable: 0, maxSurge: 1}"};
  const std::string world = set_of(surging) + revision_of(v1, 1) + revision_of(v2, 2) +
                            node_of("a") + node_of("b") + pod_of("agent-a", "a") +
                            pod_of("agent-b", "b");
  EXPECT_EQ(nodes_given_pods(decide(world)), Nodes{"a"});
  EXPECT_EQ(deeds(decide(world + pod_of("new-a", "a", v2, ""))), "");
  EXPECT_EQ(deeds(decide(world + pod_of("new-a", "a", v2))), "delete pods agent-a\n");
}

TEST_F(DaemonSet, SurgesOnWhileOldPodsAreOnTheirWayOut) {
  const SetFacts surging{.image = "agent:2", .strategy = "{maxUnavailable: 0, maxSurge: 1}"};
  std::string going = pod_of("agent-a", "a");
  going.replace(going.find("resourceVersion: '5'"), 20, "resourceVersion: '5'\n  deletionTimestamp: '2026-03-01T11:59:00Z'");
  EXPECT_EQ(nodes_given_pods(decide(set_of(surging) + revision_of(v1, 1) + revision_of(v2, 2) + node_of("a") + node_of("b") + going +
                                    pod_of("new-a", "a", v2) + pod_of("agent-b", "b"))),
            Nodes{"b"});
  // Without surge the node counts as one without a pod until the next is there.
  EXPECT_EQ(deeds(decide(set_of(v2) + revision_of(v1, 1) + revision_of(v2, 2) + node_of("a") + node_of("b") + going + pod_of("agent-b", "b"))),
            "");
}

TEST_F(DaemonSet, LetsAMisplacedPodGoWhenAnotherServesInItsStead) {
  const SetFacts surging{.image = "agent:2", .strategy = "{maxUnavailable: 0, maxSurge: 1}"};
  // b has a taint since that keeps new pods away and lets the old one stay.
  const std::string world = set_of(surging) + revision_of(v1, 1) + revision_of(v2, 2) + node_of("a") +
                            node_of("b", "", "{key: gpu, effect: NoSchedule}");
  EXPECT_EQ(deeds(decide(world + pod_of("new-a", "a", v2, "") + pod_of("agent-b", "b"))), "");
  EXPECT_EQ(deeds(decide(world + pod_of("new-a", "a", v2) + pod_of("agent-b", "b"))), "delete pods agent-b\n");
  EXPECT_EQ(deeds(decide(world + pod_of("new-a", "a", v2, "") + pod_of("agent-b", "b", v1, ""))), "delete pods agent-b\n")
      << "it serves nobody";
}

TEST_F(DaemonSet, RoundsItsBoundsUpAndTakesOneForTwoZeros) {
  const std::string old_pods = revision_of(v1, 1) + revision_of(v2, 2) + node_of("a") + node_of("b") + node_of("c") + pod_of("agent-a", "a") +
                               pod_of("agent-b", "b") + pod_of("agent-c", "c");
  EXPECT_EQ(deeds(decide(set_of({.image = "agent:2", .strategy = "{maxUnavailable: 40%, maxSurge: 0}"}) + old_pods)),
            "delete pods agent-a\ndelete pods agent-b\n");
  EXPECT_EQ(nodes_given_pods(decide(set_of({.image = "agent:2", .strategy = "{maxUnavailable: 0, maxSurge: 40%}"}) + old_pods)),
            (Nodes{"a", "b"}));
  EXPECT_EQ(deeds(decide(set_of({.image = "agent:2", .strategy = "{maxUnavailable: 0%, maxSurge: 0%}"}) + old_pods)), "delete pods agent-a\n");
}

TEST_F(DaemonSet, CountsANewPodThatIsNotReadyLongEnoughAsUnavailable) {
  EXPECT_EQ(deeds(decide(set_of({.image = "agent:2", .min_ready = 30}) + revision_of(v1, 1) + revision_of(v2, 2) + node_of("a") + node_of("b") +
                         pod_of("new-a", "a", v2, "2026-03-01T11:59:50Z") + pod_of("agent-b", "b"))),
            "");
}

TEST_F(DaemonSet, WaitsForTheUserUnderOnDelete) {
  const SetFacts manual{.image = "agent:2", .type = "OnDelete"};
  EXPECT_EQ(deeds(decide(set_of(manual) + revision_of(v1, 1) + revision_of(v2, 2) + node_of("a") +
                         pod_of("agent-a", "a"))),
            "");
}

TEST_F(DaemonSet, CountsAPodAsAvailableAfterMinReadySeconds) {
  const Plan plan = decide(set_of({.min_ready = 30}) + revision_of(v1, 1) + node_of("a") +
                           pod_of("agent-a", "a", v1, "2026-03-01T11:59:50Z"));
  EXPECT_EQ(status_in(plan)[keys::kNumberReady].as_int(), 1);
  EXPECT_EQ(status_in(plan)[keys::kNumberUnavailable].as_int(), 1);
  ASSERT_TRUE(plan.requeue_after);
  EXPECT_EQ(*plan.requeue_after, seconds(20) + milliseconds(1));
}

TEST_F(DaemonSet, ReplacesFailedPodsMoreSlowlyEachTime) {
  DecisionWorld world(daemon_set_controller());
  world.add(set_of() + revision_of(v1, 1) + node_of("a") +
            pod_of("agent-a", "a", v1, "", "Failed"));
  const Plan first = world.decide("default", "agent");
  EXPECT_EQ(deeds(first), "delete pods agent-a\n");
  ASSERT_EQ(first.events.size(), 1u);
  EXPECT_EQ(first.events[0].message,
            "Found failed daemon pod default/agent-a on node a, will try to kill it");
  const Plan too_early = world.decide("default", "agent");
  EXPECT_EQ(deeds(too_early), "");
  EXPECT_EQ(too_early.requeue_after, seconds(1));
  world.now = world.now + seconds(1);
  EXPECT_EQ(deeds(world.decide("default", "agent")), "delete pods agent-a\n");
  world.now = world.now + seconds(1);
  EXPECT_EQ(world.decide("default", "agent").requeue_after, seconds(1));
}

TEST_F(DaemonSet, ARevisionThatComesBackGetsTheHighestNumber) {
  const Plan plan = decide(set_of() + revision_of(v1, 1) + revision_of(v2, 2));
  EXPECT_EQ(deeds(plan), cat("update controllerrevisions agent-", hash_of(), "\n"));
  EXPECT_EQ(plan.writes[0].request.body[keys::kRevision].as_int(), 3);
}

TEST_F(DaemonSet, KeepsOnlySoManyOldRevisionsAndThoseThatPodsLiveBy) {
  const SetFacts now{.image = "agent:3", .type = "OnDelete", .history = 1};
  EXPECT_EQ(deeds(decide(set_of(now) + revision_of(v1, 1) + revision_of(v2, 2) +
                         revision_of(now, 3) + node_of("a") + pod_of("agent-a", "a", v1))),
            cat("delete controllerrevisions agent-", hash_of(v2), "\n"));
}

TEST_F(DaemonSet, IsWokenByANodeThatBeginsToFitAndNotByAHeartbeat) {
  DecisionWorld world(daemon_set_controller());
  world.add(set_of({.pod_spec = "nodeSelector: {disk: ssd}, "}));
  const auto node = [](std::string_view labels, std::string_view beat) {
    return Value::map(
        {{keys::kMetadata,
          Value::map({{keys::kName, "a"}, {keys::kLabels, Value::map({{"disk", labels}})}})},
         {keys::kStatus, Value::map({{keys::kPhase, beat}})}});
  };
  EXPECT_TRUE(world.woken_by(kinds::kNodes, node("ssd", "1"), node("ssd", "2")).empty());
  EXPECT_EQ(world.woken_by(kinds::kNodes, node("hdd", "1"), node("ssd", "1")).size(), 1u);
  EXPECT_EQ(world.woken_by(kinds::kNodes, Value(), node("ssd", "1")).size(), 1u);
}

}  // namespace
}  // namespace minik::control
