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

}  // namespace
}  // namespace minik::control
