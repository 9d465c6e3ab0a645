// What a ReplicationController has of its own; the rest is the ReplicaSet's decision and tested
// there.
#include "control/controllers/replica_set.h"
#include "decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kController = R"(
apiVersion: v1
kind: ReplicationController
metadata: {name: web, namespace: default, uid: rc-1, generation: 4, resourceVersion: "1"}
spec:
  replicas: 2
  selector: {app: web}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}
)";

std::string pod(std::string_view name, std::string_view extra) {
  return cat("\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: ", name,
             ", namespace: default, uid: uid-", name,
             ", resourceVersion: '5', labels: {app: web}, ", extra,
             "}\nspec: {nodeName: n1}\nstatus: {phase: Running}\n");
}

constexpr std::string_view kOwned =
    "ownerReferences: [{apiVersion: v1, kind: ReplicationController, name: web, uid: rc-1, "
    "controller: true}]";

class ReplicationController : public ::testing::Test {
 protected:
  DecisionWorld world{replication_controller_controller()};
};

TEST_F(ReplicationController, OwnsThePodsItCreates) {
  world.add(cat(kController, pod("web-a", kOwned)));
  const Plan plan = world.decide("default", "web");
  ASSERT_EQ(text_of(plan),
            "update replicationcontrollers web/status\n"
            "create pods  | SuccessfulCreate: Created pod: %name%\n");
  const Value& owner = controller_of(plan.writes[1].request.body);
  EXPECT_EQ(owner[keys::kApiVersion].as_string(), "v1");
  EXPECT_EQ(owner[keys::kKind].as_string(), "ReplicationController");
}

TEST_F(ReplicationController, AdoptsByItsPlainSelectorAndIsWokenByWhatItSelects) {
  world.add(cat(kController, pod("stray", "annotations: {}")));
  EXPECT_TRUE(text_of(world.decide("default", "web")).starts_with("patch pods stray\n"));
  const Value& stray = world.cache(kinds::kPods).find("default", "stray");
  EXPECT_EQ(world.woken_by(kinds::kPods, Value(), stray).size(), 1U);
}

TEST_F(ReplicationController, CountsNoTerminatingPods) {
  world.add(cat(kController, pod("web-a", kOwned), pod("web-b", kOwned),
                pod("web-c", cat(kOwned, ", deletionTimestamp: '2026-03-01T11:59:00Z'"))));
  const Plan plan = world.decide("default", "web");
  const Value& status = plan.writes.at(0).request.body[keys::kStatus];
  EXPECT_EQ(status[keys::kReplicas].as_int(), 2);
  EXPECT_EQ(status[keys::kObservedGeneration].as_int(), 4);
  EXPECT_TRUE(status[keys::kTerminatingReplicas].is_absent());
}

TEST_F(ReplicationController, TellsWhyAPodIsMissingUntilNoneIs) {
  world.add(cat(kController, pod("web-a", kOwned)));
  const Plan refused = world.decide("default", "web");
  const ApiRequest amends = refused.writes.at(1).amends(
      Error(ErrorCode::kForbidden, "pods \"web-x\" is forbidden: exceeded quota"));
  EXPECT_EQ(amends.subresource, "status");
  const Value& told = amends.body[keys::kStatus][keys::kConditions];
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told.items()[0][keys::kType].as_string(), "ReplicaFailure");
  EXPECT_EQ(told.items()[0][keys::kReason].as_string(), "FailedCreate");
  EXPECT_EQ(told.items()[0][keys::kMessage].as_string(),
            "pods \"web-x\" is forbidden: exceeded quota");

  const Value set =
      refused.writes.at(0).request.body.with_at({keys::kStatus, keys::kConditions}, told);
  world.cache(kinds::kReplicationcontrollers).put(set);
  const Plan again = world.decide("default", "web");
  ASSERT_EQ(again.writes.size(), 1U);  // the condition stays as it is while the pod is missing
  EXPECT_FALSE(again.writes[0].amends);

  world.add(cat(pod("web-b", kOwned)));
  const Plan settled = world.decide("default", "web");
  EXPECT_TRUE(settled.writes.at(0).request.body[keys::kStatus][keys::kConditions].empty());
}

}  // namespace
}  // namespace minik::control
