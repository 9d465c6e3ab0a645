#include "control/controllers/deployment.h"

#include "control/base/text.h"
#include "control/object/json.h"
#include "decision_world.h"

namespace minik::control {
namespace {

std::string deployment_of(int replicas, std::string_view image, std::string_view extra = "") {
  return cat(
      "\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web, namespace: default, "
      "uid: dep-1, "
      "generation: 1, resourceVersion: '9'}\nspec:\n  replicas: ",
      replicas,
      "\n  selector: {matchLabels: {app: web}}\n  strategy: {type: RollingUpdate, rollingUpdate: "
      "{maxSurge: 25%, maxUnavailable: 25%}}\n  ",
      extra,
      "\n  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: '",
      image, "'}]}}\n");
}

std::string set_of(std::string_view name, std::string_view image, int replicas, int available,
                   bool owned = true) {
  return cat(
      "\n---\napiVersion: apps/v1\nkind: ReplicaSet\nmetadata:\n  name: ", name,
      "\n  namespace: default\n  uid: uid-", name,
      "\n  resourceVersion: '3'\n  labels: {app: web}\n  annotations: "
      "{deployment.kubernetes.io/revision: '1', deployment.kubernetes.io/desired-replicas: '10', "
      "deployment.kubernetes.io/max-replicas: '13'}\n  ownerReferences: ",
      owned ? "[{apiVersion: apps/v1, kind: Deployment, name: web, uid: dep-1, controller: true}]"
            : "[]",
      "\nspec:\n  replicas: ", replicas,
      "\n  selector: {matchLabels: {app: web}}\n  template: {metadata: {labels: {app: "
      "web, pod-template-hash: abc}}, spec: {containers: [{name: web, image: '",
      image, "'}]}}\nstatus: {replicas: ", replicas, ", availableReplicas: ", available,
      ", readyReplicas: ", available, "}\n");
}

class Deployment : public ::testing::Test {
 protected:
  DecisionWorld world{deployment_controller()};
};

TEST_F(Deployment, MakesItsFirstSetAtFullSize) {
  world.add(deployment_of(3, "web:1"));
  const Plan plan = world.decide("default", "web");
  ASSERT_FALSE(plan.writes.empty());
  const Value& set = plan.writes[0].request.body;
  const std::string name(object_name(set));
  EXPECT_EQ(plan.writes[0].event->message, cat("Scaled up replica set ", name, " from 0 to 3"));
  EXPECT_EQ(set[keys::kSpec][keys::kReplicas].as_int(), 3);
  const auto hash = set[keys::kMetadata][keys::kLabels].get("pod-template-hash").as_string();
  EXPECT_EQ(name, cat("web-", hash));
  EXPECT_EQ(set[keys::kSpec][keys::kTemplate][keys::kMetadata][keys::kLabels]
                .get("pod-template-hash")
                .as_string(),
            hash);
}

TEST_F(Deployment, NamesTheSetThatItMakes) {
  world.add(deployment_of(3, "web:1"));
  const Plan plan = world.decide("default", "web");
  const std::string name(object_name(plan.writes[0].request.body));
  const std::string status = to_json(plan.writes.back().request.body[keys::kStatus]);
  EXPECT_NE(status.find(cat("Created new replica set \\\"", name, "\\\"")), std::string::npos) << status;
}

TEST_F(Deployment, StartsAnUpdateWithinItsSurge) {
  world.add(deployment_of(10, "web:2") + set_of("web-old", "web:1", 10, 10));
  const Plan plan = world.decide("default", "web");
  ASSERT_FALSE(plan.writes.empty());
  EXPECT_EQ(plan.writes[0].request.verb, Verb::kCreate);
  EXPECT_EQ(plan.writes[0].request.body[keys::kSpec][keys::kReplicas].as_int(), 3);
}

TEST_F(Deployment, RoundsSurgeUpAndUnavailableDownAndNeverBothToZero) {
  world.add(deployment_of(10, "web:1"));
  const Value ten = world.cache(kinds::kDeployments).find("default", "web");
  EXPECT_EQ(rollout_bounds(ten).surge, 3);
  EXPECT_EQ(rollout_bounds(ten).unavailable, 2);
  const Value zero = ten.with_at({keys::kSpec, keys::kStrategy, keys::kRollingUpdate},
                                 Value::map({{keys::kMaxSurge, 0}, {keys::kMaxUnavailable, "5%"}}));
  EXPECT_EQ(rollout_bounds(zero).surge, 0);
  EXPECT_EQ(rollout_bounds(zero).unavailable, 1);
}

TEST_F(Deployment, AdoptsASetThatMatchesAndWasLeftBehind) {
  world.add(deployment_of(3, "web:1") + set_of("web-left", "web:1", 3, 3, false));
  const Plan plan = world.decide("default", "web");
  EXPECT_EQ(text_of(plan), "patch replicasets web-left\n");
}

TEST_F(Deployment, PicksAnotherNameWhenSomebodyElseHasIt) {
  world.add(deployment_of(3, "web:1"));
  Value set = world.decide("default", "web").writes[0].request.body;
  set = set.with_at({keys::kMetadata, keys::kOwnerReferences},
                    Value::array({Value::map({{keys::kUid, "other"}, {keys::kController, true}})}));
  world.cache(kinds::kReplicasets).put(set);
  const Plan plan = world.decide("default", "web");
  ASSERT_EQ(text_of(plan), "update deployments web/status\n");
  EXPECT_EQ(plan.writes[0].request.body[keys::kStatus][keys::kCollisionCount].as_int(), 1);
  world.cache(kinds::kDeployments).put(plan.writes[0].request.body);
  EXPECT_NE(object_name(world.decide("default", "web").writes[0].request.body), object_name(set));
}

TEST_F(Deployment, MakesNoSetWhilePaused) {
  world.add(deployment_of(3, "web:1", "paused: true"));
  const Plan plan = world.decide("default", "web");
  EXPECT_EQ(text_of(plan), "update deployments web/status\n");
}

TEST_F(Deployment, TellsItsNewSetWhyItChanged) {
  auto text = deployment_of(2, "web:1");
  text.replace(text.find("generation: 1"), 0,
               "annotations: {kubernetes.io/change-cause: better}, ");
  world.add(cat(text, set_of("web-1", "web:1", 2, 2)));
  const Plan plan = world.decide("default", "web");
  ASSERT_FALSE(plan.writes.empty());
  const Value& annotations = plan.writes[0].request.body[keys::kMetadata][keys::kAnnotations];
  EXPECT_EQ(annotations.get("kubernetes.io/change-cause").as_string(), "better");
  EXPECT_EQ(annotations.get("deployment.kubernetes.io/revision").as_string(), "1");
}

TEST_F(Deployment, RemembersTheRevisionsThatASetHadBefore) {
  auto old_set = set_of("web-2", "web:2", 2, 2);
  old_set.replace(old_set.find("revision: '1'"), 13, "revision: '2'");
  world.add(cat(deployment_of(2, "web:1"), set_of("web-1", "web:1", 0, 0), old_set));
  const Plan plan = world.decide("default", "web");
  ASSERT_FALSE(plan.writes.empty());
  const Value& annotations = plan.writes[0].request.body[keys::kMetadata][keys::kAnnotations];
  EXPECT_EQ(annotations.get("deployment.kubernetes.io/revision").as_string(), "3");
  EXPECT_EQ(annotations.get("deployment.kubernetes.io/revision-history").as_string(), "1");
}

// What the status of the Deployment becomes.
Value status_of(const Plan& plan) {
  for (const auto& write : plan.writes) {
    if (write.request.kind == kinds::kDeployments && write.request.subresource == "status")
      return write.request.body[keys::kStatus];
  }
  return Value();
}

const Value& condition_of(const Value& status, std::string_view type) {
  for (const auto& condition : status[keys::kConditions].items()) {
    if (condition[keys::kType].as_string() == type) return condition;
  }
  static const Value none;
  return none;
}

// The Deployment repeats its set's revision; else this is what it would write first.
void stands_at_revision(DecisionWorld& world, std::string_view revision) {
  const Value deployment = world.cache(kinds::kDeployments).find("default", "web");
  world.cache(kinds::kDeployments)
      .put(deployment.with_at({keys::kMetadata, keys::kAnnotations, Key("deployment.kubernetes.io/revision")}, revision));
}

std::string with_revision(std::string set, int revision) {
  return set.replace(set.find("revision: '1'"), 13, cat("revision: '", revision, "'"));
}

std::string recreating(std::string_view image) {
  auto text = deployment_of(3, image);
  const std::string rolling = "{type: RollingUpdate, rollingUpdate: {maxSurge: 25%, maxUnavailable: 25%}}";
  return text.replace(text.find(rolling), rolling.size(), "{type: Recreate}");
}

constexpr std::string_view kOldPod =
    "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: web-old-1, namespace: default, uid: pod-1, ownerReferences: "
    "[{apiVersion: apps/v1, kind: ReplicaSet, name: web-old, uid: uid-web-old, controller: true}]}\n"
    "status: {phase: Running}\n";

TEST_F(Deployment, StopsEveryOldPodBeforeItRecreatesThem) {
  world.add(recreating("web:2") + set_of("web-old", "web:1", 3, 3));
  EXPECT_EQ(text_of(world.decide("default", "web")).substr(0, 93),
            "update replicasets web-old | ScalingReplicaSet: Scaled down replica set web-old from 3 to 0\nu");
}

TEST_F(Deployment, SaysWhyItsNewSetCannotBeMade) {
  world.add(deployment_of(3, "web:1"));
  const Plan plan = world.decide("default", "web");
  ASSERT_FALSE(plan.writes.empty());
  const auto& write = plan.writes[0];
  ASSERT_TRUE(write.amends);
  const auto request = write.amends(Error(ErrorCode::kForbidden, "exceeded quota: few"));
  EXPECT_EQ(request.subresource, "status");
  const Value& told = request.body[keys::kStatus][keys::kConditions].items()[0];
  EXPECT_EQ(told[keys::kType].as_string(), "Progressing");
  EXPECT_EQ(told[keys::kStatus].as_string(), "False");
  EXPECT_EQ(told[keys::kReason].as_string(), "ReplicaSetCreateError");
  EXPECT_EQ(told[keys::kMessage].as_string(),
            cat("Failed to create new replica set \"", object_name(write.request.body), "\": exceeded quota: few"));
}

TEST_F(Deployment, SaysThatItHasMadeTheNewSetWhenItRecreatesToo) {
  world.add(recreating("web:2") + set_of("web-old", "web:1", 0, 0));
  const Plan plan = world.decide("default", "web");
  ASSERT_EQ(plan.writes.size(), 2U) << text_of(plan);
  std::string reason;
  for (const auto& told : plan.writes[1].request.body[keys::kStatus][keys::kConditions].items()) {
    if (told[keys::kType].as_string() == "Progressing") reason = told[keys::kReason].string();
  }
  EXPECT_EQ(reason, "NewReplicaSetCreated");
}

TEST_F(Deployment, MakesNoNewSetWhileAnOldPodIsOnItsWayOut) {
  world.add(cat(recreating("web:2"), set_of("web-old", "web:1", 0, 0), kOldPod));
  const auto waiting = text_of(world.decide("default", "web"));
  EXPECT_EQ(waiting.find("create"), std::string::npos) << waiting;
  const Value pod = world.cache(kinds::kPods).find("default", "web-old-1");
  world.cache(kinds::kPods).put(pod.with_at({keys::kStatus, keys::kPhase}, "Succeeded"));
  const auto ended = text_of(world.decide("default", "web"));
  EXPECT_NE(ended.find("create replicasets"), std::string::npos) << ended;
}

TEST_F(Deployment, RecreatesNothingWhileAnOldPodIsOnItsWayOut) {
  world.add(cat(recreating("web:2"), set_of("web-old", "web:1", 0, 0),
                with_revision(set_of("web-new", "web:2", 0, 0), 2), kOldPod));
  const auto waiting = text_of(world.decide("default", "web"));
  EXPECT_EQ(waiting.find("Scaled up"), std::string::npos) << waiting;
}

TEST_F(Deployment, GivesEverySetItsShareWhenItIsResizedInARollout) {
  // 8 old and 5 new of 10 with a surge of 3; then 20 are wanted, of which 5 may be too many.
  world.add(deployment_of(20, "web:2") + set_of("web-old", "web:1", 8, 8) +
            with_revision(set_of("web-new", "web:2", 5, 2), 2));
  stands_at_revision(world, "2");
  const auto text = text_of(world.decide("default", "web"));
  EXPECT_NE(text.find("Scaled up replica set web-old from 8 to 15"), std::string::npos) << text;
  EXPECT_NE(text.find("Scaled up replica set web-new from 5 to 10"), std::string::npos) << text;
}

constexpr std::string_view kProgressing =
    "status: {replicas: 4, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2, conditions: [{type: Progressing, "
    "status: 'True', reason: ReplicaSetUpdated, message: ReplicaSet \"web-new\" is progressing., "
    "lastUpdateTime: '2026-03-01T11:51:00Z', lastTransitionTime: '2026-03-01T11:40:00Z'}]}\n";

TEST_F(Deployment, CountsNoPodsThatAreOnTheirWayOutWhenItShrinksOldSets) {
  // Both sets have just been shrunk, and their statuses do not know yet.
  world.add(deployment_of(10, "web:2") + set_of("web-old", "web:1", 8, 18) + with_revision(set_of("web-new", "web:2", 5, 9), 2));
  stands_at_revision(world, "2");
  const Plan plan = world.decide("default", "web");
  ASSERT_FALSE(plan.writes.empty());
  EXPECT_EQ(object_name(plan.writes[0].request.body), "web-old");
  EXPECT_EQ(plan.writes[0].request.body[keys::kSpec][keys::kReplicas].as_int(), 3) << "eight must stay, five of them new";
}

TEST_F(Deployment, CountsItsDeadlineFromTheLastStepForward) {
  // Nine minutes ago something moved, now one pod more is available.
  world.add(cat(deployment_of(4, "web:2"), kProgressing, with_revision(set_of("web-new", "web:2", 4, 3), 2)));
  stands_at_revision(world, "2");
  const Value progressing = condition_of(status_of(world.decide("default", "web")), "Progressing");
  EXPECT_EQ(progressing[keys::kLastUpdateTime].as_string(), "2026-03-01T12:00:00Z");
  EXPECT_EQ(progressing[keys::kLastTransitionTime].as_string(), "2026-03-01T11:40:00Z");
}

TEST_F(Deployment, SaysThatItTimedOutWhenNothingMovesForItsDeadline) {
  auto stuck = std::string(kProgressing);
  stuck.replace(stuck.find("11:51"), 5, "11:49");
  stuck.replace(stuck.find("availableReplicas: 2"), 20, "availableReplicas: 3, unavailableReplicas: 1");
  stuck.replace(stuck.find("readyReplicas: 2"), 16, "readyReplicas: 3");
  stuck.replace(stuck.find("updatedReplicas: 2"), 18, "updatedReplicas: 4");
  world.add(cat(deployment_of(4, "web:2"), stuck, with_revision(set_of("web-new", "web:2", 4, 3), 2)));
  stands_at_revision(world, "2");
  const Value progressing = condition_of(status_of(world.decide("default", "web")), "Progressing");
  EXPECT_EQ(progressing[keys::kStatus].as_string(), "False");
  EXPECT_EQ(progressing[keys::kReason].as_string(), "ProgressDeadlineExceeded");
  EXPECT_EQ(progressing[keys::kMessage].as_string(), "ReplicaSet \"web-new\" has timed out progressing.");
}

std::string progressing(std::string_view status, std::string_view reason, std::string_view counts) {
  return cat("status: {", counts, ", conditions: [{type: Progressing, status: '", status, "', reason: ", reason,
             ", message: said before, lastUpdateTime: '2026-03-01T11:00:00Z', "
             "lastTransitionTime: '2026-03-01T11:00:00Z'}]}\n");
}

TEST_F(Deployment, IsNoRolloutAnyMoreWhenPodsFailAfterwards) {
  world.add(cat(deployment_of(4, "web:2"),
                progressing("True", "NewReplicaSetAvailable",
                            "replicas: 4, updatedReplicas: 4, readyReplicas: 4, availableReplicas: 4"),
                with_revision(set_of("web-new", "web:2", 4, 1), 2)));
  stands_at_revision(world, "2");
  const Value status = status_of(world.decide("default", "web"));
  EXPECT_EQ(status[keys::kAvailableReplicas].as_int(), 1);
  EXPECT_EQ(condition_of(status, "Progressing")[keys::kReason].as_string(), "NewReplicaSetAvailable");
}

TEST_F(Deployment, SaysNothingOfProgressWithoutADeadline) {
  world.add(cat(deployment_of(4, "web:2", "progressDeadlineSeconds: 2147483647"),
                progressing("False", "ProgressDeadlineExceeded", "replicas: 4"),
                with_revision(set_of("web-new", "web:2", 4, 1), 2)));
  stands_at_revision(world, "2");
  EXPECT_FALSE(condition_of(status_of(world.decide("default", "web")), "Progressing").has_value());
}

TEST_F(Deployment, DoesNotForgetForAPauseThatItTimedOut) {
  world.add(cat(deployment_of(4, "web:2", "paused: true"),
                progressing("False", "ProgressDeadlineExceeded", "replicas: 4"),
                with_revision(set_of("web-new", "web:2", 4, 1), 2)));
  const Value status = status_of(world.decide("default", "web"));
  EXPECT_EQ(condition_of(status, "Progressing")[keys::kReason].as_string(), "ProgressDeadlineExceeded");
}

TEST_F(Deployment, GrowsFromNothingWhilePausedByTheSetItHadLast) {
  world.add(cat(deployment_of(3, "web:2", "paused: true"), set_of("web-1", "web:1", 0, 0),
                with_revision(set_of("web-2", "web:2", 0, 0), 2)));
  EXPECT_EQ(text_of(world.decide("default", "web")),
            "update replicasets web-2 | ScalingReplicaSet: Scaled up replica set web-2 from 0 to 3\n"
            "update deployments web/status\n");
}

TEST_F(Deployment, CountsASetOnItsWayOutToNoHistory) {
  const std::string complete = "status: {replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2}\n";
  auto going = set_of("web-1", "web:1", 0, 0);
  going.replace(going.find("resourceVersion"), 0, "deletionTimestamp: '2026-03-01T12:00:30Z'\n  ");
  world.add(cat(deployment_of(2, "web:3", "revisionHistoryLimit: 1"), complete, going,
                with_revision(set_of("web-2", "web:2", 0, 0), 2), with_revision(set_of("web-3", "web:3", 2, 2), 3)));
  stands_at_revision(world, "3");
  const auto text = text_of(world.decide("default", "web"));
  EXPECT_EQ(text.find("delete"), std::string::npos) << text;
}

TEST_F(Deployment, RepeatsWhyItsSetCannotMakePods) {
  auto set = set_of("web-new", "web:1", 3, 0);
  set.replace(set.find("status: {"), 9,
              "status: {conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: no quota}], ");
  world.add(deployment_of(3, "web:1") + set);
  stands_at_revision(world, "1");
  const Value failure = condition_of(status_of(world.decide("default", "web")), "ReplicaFailure");
  EXPECT_EQ(failure[keys::kReason].as_string(), "FailedCreate");
  EXPECT_EQ(failure[keys::kMessage].as_string(), "no quota");
}

TEST_F(Deployment, KeepsAsMuchHistoryAsItMayOnceItIsComplete) {
  const std::string complete = "status: {replicas: 2, updatedReplicas: 2, readyReplicas: 2, availableReplicas: 2}\n";
  const std::string rolling = "status: {replicas: 2, updatedReplicas: 1, readyReplicas: 2, availableReplicas: 2}\n";
  const auto sets = cat(with_revision(set_of("web-3", "web:3", 2, 2), 3), with_revision(set_of("web-2", "web:2", 0, 0), 2),
                        set_of("web-1", "web:1", 0, 0));
  for (const bool done : {false, true}) {
    DecisionWorld one{deployment_controller()};
    one.add(cat(deployment_of(2, "web:3", "revisionHistoryLimit: 1"), done ? complete : rolling, sets));
    stands_at_revision(one, "3");
    for (const auto* name : {"web-1", "web-2", "web-3"}) {  // as large as they were last told
      const Value set = one.cache(kinds::kReplicasets).find("default", name);
      one.cache(kinds::kReplicasets)
          .put(set.with_at({keys::kMetadata, keys::kAnnotations, Key("deployment.kubernetes.io/desired-replicas")}, "2"));
    }
    const auto text = text_of(one.decide("default", "web"));
    EXPECT_EQ(text.find("delete replicasets web-1\n") != std::string::npos, done) << text;
    EXPECT_EQ(text.find("delete replicasets web-2"), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace minik::control
