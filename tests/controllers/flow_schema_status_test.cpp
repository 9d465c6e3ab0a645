#include "control/controllers/flow_schema_status.h"

#include "decision_world.h"

namespace minik::control {
namespace {

TEST(FlowSchemaStatus, SaysWhetherTheLevelOfASchemaIsThere) {
  DecisionWorld world(flow_schema_status_controller());
  world.add("apiVersion: flowcontrol.apiserver.k8s.io/v1\nkind: FlowSchema\nmetadata: {name: guests}\n"
            "spec: {matchingPrecedence: 10, priorityLevelConfiguration: {name: low}}\n");
  const auto told = [&] {
    const Plan plan = world.decide("", "guests");
    if (plan.writes.empty()) return std::string("nothing");
    world.cache(kinds::kFlowschemas).put(plan.writes[0].request.body);
    const Value condition = plan.writes[0].request.body[keys::kStatus][keys::kConditions].items()[0];
    return cat(condition[keys::kType].as_string(), " ", condition[keys::kStatus].as_string(), " ", condition[keys::kMessage].as_string());
  };
  EXPECT_EQ(told(), "Dangling True This FlowSchema references the PriorityLevelConfiguration object named \"low\" but there is no such object");
  EXPECT_EQ(told(), "nothing");
  world.add("apiVersion: flowcontrol.apiserver.k8s.io/v1\nkind: PriorityLevelConfiguration\nmetadata: {name: low}\nspec: {type: Limited}\n");
  EXPECT_EQ(told(), "Dangling False This FlowSchema references the PriorityLevelConfiguration object named \"low\" and it exists");
  EXPECT_EQ(told(), "nothing");
}

}  // namespace
}  // namespace minik::control
