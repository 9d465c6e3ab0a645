#include "control/controllers/replica_set.h"

#include "control/base/text.h"
#include "decision_world.h"

namespace minik::control {
namespace {

std::string set_of(int replicas) {
  return cat(R"(
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web, namespace: default, uid: set-1, generation: 1, resourceVersion: "1"}
spec:
  replicas: )",
             replicas, R"(
  selector: {matchLabels: {app: web}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}
)");
}

struct PodFacts {
  std::string name, node = "node-1", phase = "Running", ready_since = "2026-03-01T11:00:00Z",
                    label = "web";
  std::string cost = "0";
  int restarts = 0;
  bool owned = true;
};

std::string pod_of(const PodFacts& facts) {
  const std::string owner =
      facts.owned
          ? "[{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: set-1, controller: true}]"
          : "[]";
  const std::string conditions =
      facts.ready_since.empty()
          ? "[]"
          : cat("[{type: Ready, status: 'True', lastTransitionTime: '", facts.ready_since, "'}]");
  return cat(
      "\n---\napiVersion: v1\nkind: Pod\nmetadata:\n  name: ", facts.name,
      "\n  namespace: default\n  uid: uid-", facts.name,
      "\n  resourceVersion: '5'\n  creationTimestamp: '2026-03-01T10:00:00Z'\n  labels: {app: ",
      facts.label, "}\n  annotations: {controller.kubernetes.io/pod-deletion-cost: '", facts.cost,
      "'}\n  ownerReferences: ", owner, "\nspec: {nodeName: '", facts.node,
      "'}\nstatus:\n  phase: ", facts.phase, "\n  conditions: ", conditions,
      "\n  containerStatuses: [{name: web, restartCount: ", facts.restarts, "}]\n");
}

class ReplicaSet : public ::testing::Test {
 protected:
  // The pod that a set of two, scaled to one, gives up.
  std::string victim(const PodFacts& a, const PodFacts& b) {
    DecisionWorld fresh(replica_set_controller());
    fresh.add(set_of(1) + pod_of(a) + pod_of(b));
    std::string deleted;
    for (const auto& write : fresh.decide("default", "web").writes) {
      if (write.request.verb == Verb::kDelete) deleted += write.request.name;
    }
    return deleted;
  }

  DecisionWorld world{replica_set_controller()};
};

TEST_F(ReplicaSet, CreatesWhatIsMissingFromTheTemplate) {
  world.add(set_of(3) + pod_of({.name = "web-a"}));
  const Plan plan = world.decide("default", "web");
  EXPECT_EQ(text_of(plan),
            "update replicasets web/status\n"
            "create pods  | SuccessfulCreate: Created pod: %name%\n"
            "create pods  | SuccessfulCreate: Created pod: %name%\n");
  const Value& pod = plan.writes[1].request.body;
  EXPECT_EQ(pod[keys::kMetadata][keys::kGenerateName].as_string(), "web-");
  EXPECT_EQ(controller_of(pod)[keys::kUid].as_string(), "set-1");
  EXPECT_EQ(pod[keys::kSpec][keys::kContainers].items()[0][keys::kImage].as_string(), "web:1");
}

TEST_F(ReplicaSet, IsSilentWhenEverythingIsAsItShouldBe) {
  world.add(set_of(1) + pod_of({.name = "web-a"}));
  const Plan first = world.decide("default", "web");
  ASSERT_EQ(first.writes.size(), 1U);
  world.cache(kinds::kReplicasets).put(first.writes[0].request.body);
  EXPECT_TRUE(world.decide("default", "web").empty());
}

TEST_F(ReplicaSet, DeletesNotReadyPodsFirst) {
  EXPECT_EQ(victim({.name = "a"}, {.name = "b", .ready_since = ""}), "b");
}

TEST_F(ReplicaSet, DeletesUnassignedPodsBeforePendingOnesAndThoseBeforeRunningOnes) {
  EXPECT_EQ(
      victim({.name = "a", .phase = "Pending"}, {.name = "b", .node = "", .phase = "Pending"}),
      "b");
  EXPECT_EQ(victim({.name = "a", .ready_since = ""},
                   {.name = "b", .phase = "Pending", .ready_since = ""}),
            "b");
}

TEST_F(ReplicaSet, DeletesCheapPodsBeforeYoungOnes) {
  EXPECT_EQ(
      victim({.name = "a", .ready_since = "2026-03-01T11:59:59Z"}, {.name = "b", .cost = "-1"}),
      "b");
}

TEST_F(ReplicaSet, TakesThePodThatBecameReadyLastUnlessTheAgesAreOfOneMagnitude) {
  EXPECT_EQ(victim({.name = "a"}, {.name = "b", .ready_since = "2026-03-01T11:59:00Z"}), "b");
  EXPECT_EQ(victim({.name = "a"}, {.name = "b", .ready_since = "2026-03-01T11:00:01Z"}), "a");
}

TEST_F(ReplicaSet, TakesThePodThatRestartedMost) {
  EXPECT_EQ(victim({.name = "a"}, {.name = "b", .restarts = 3}), "b");
}

TEST_F(ReplicaSet, ChoosesOnlyWhenPodsThatChangeHandsHaveDoneSo) {
  world.add(set_of(0) + pod_of({.name = "stray", .owned = false}) + pod_of({.name = "other", .label = "db"}) +
            pod_of({.name = "mine"}));
  EXPECT_EQ(text_of(world.decide("default", "web")),
            "patch pods other\npatch pods stray\nupdate replicasets web/status\n");
}

TEST_F(ReplicaSet, AdoptsOrphansThatMatchAndReleasesPodsThatDoNot) {
  world.add(set_of(1) + pod_of({.name = "stray", .owned = false}) +
            pod_of({.name = "other", .label = "db"}));
  const Plan plan = world.decide("default", "web");
  EXPECT_EQ(text_of(plan), "patch pods other\npatch pods stray\nupdate replicasets web/status\n");
  const auto& patch = plan.writes[1].request.body[keys::kMetadata];
  EXPECT_EQ(patch[keys::kUid].as_string(), "uid-stray");
  EXPECT_EQ(patch[keys::kOwnerReferences].items()[0][keys::kUid].as_string(), "set-1");
}

TEST_F(ReplicaSet, IsWokenByAnOrphanThatMatches) {
  world.add(set_of(1) + pod_of({.name = "stray", .owned = false}));
  const Value& stray = world.cache(kinds::kPods).find("default", "stray");
  const auto woken = world.woken_by(kinds::kPods, Value(), stray);
  ASSERT_EQ(woken.size(), 1U);
  EXPECT_EQ(woken[0].name, "web");
}

TEST_F(ReplicaSet, DoesNotCountPodsOfOtherNamespaces) {
  world.add(set_of(1) + pod_of({.name = "a"}));
  const Value& mine = world.cache(kinds::kPods).find("default", "a");
  world.cache(kinds::kPods).put(mine.with_at({keys::kMetadata, keys::kNamespace}, "elsewhere"));
  EXPECT_EQ(text_of(world.decide("default", "web")), "update replicasets web/status\n");
}

TEST_F(ReplicaSet, ReplacesPodsThatHaveEnded) {
  world.add(set_of(1) + pod_of({.name = "a", .phase = "Failed"}));
  EXPECT_EQ(world.decide("default", "web").writes.back().request.verb, Verb::kCreate);
}

}  // namespace
}  // namespace minik::control
