#include "control/controllers/stale_disruption.h"

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "decision_world.h"

namespace minik::control {
namespace {

class StaleDisruption : public ::testing::Test {
 protected:
  // A pod that was told at noon that it would be deleted.
  static std::string pod(std::string_view reason, std::string_view metadata = "", std::string_view phase = "Running") {
    return cat("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default, uid: u, resourceVersion: '7'", metadata,
               "}, status: {phase: ", phase, ", conditions: [{type: DisruptionTarget, status: 'True', reason: ", reason,
               ", message: 'soon', lastTransitionTime: '2026-03-01T12:00:00Z'}, {type: Ready, status: 'True'}]}}");
  }
  Plan decide(const std::string& yaml) {
    world.add(yaml);
    return world.decide("default", "web");
  }
  DecisionWorld world{stale_disruption_controller()};
};

TEST_F(StaleDisruption, IsTakenBackAfterTwoMinutesWithoutADeletion) {
  EXPECT_EQ(decide(pod("EvictionByEvictionAPI")).requeue_after, minutes(2));
  world.now = world.now + minutes(2);
  const Plan plan = world.decide("default", "web");
  ASSERT_EQ(text_of(plan), "update pods web/status\n");
  const Value& told = plan.writes[0].request.body;
  EXPECT_EQ(condition(told, "DisruptionTarget")[keys::kStatus].as_string(), "False");
  EXPECT_TRUE(condition(told, "DisruptionTarget")[keys::kReason].is_absent());
  EXPECT_EQ(condition(told, "DisruptionTarget")[keys::kLastTransitionTime].as_string(), "2026-03-01T12:02:00Z");
  EXPECT_TRUE(is_condition_true(told, "Ready"));
  EXPECT_EQ(told[keys::kMetadata][keys::kResourceVersion].as_string(), "7") << "the pod as it was read";
  world.cache(kinds::kPods).put(told);
  EXPECT_TRUE(world.decide("default", "web").empty());
}

TEST_F(StaleDisruption, StaysWhereThePodGoesOrHasGoneOrItsNodeSaysSo) {
  world.now = world.now + minutes(5);
  EXPECT_TRUE(decide(pod("EvictionByEvictionAPI", ", deletionTimestamp: '2026-03-01T12:01:00Z'")).empty());
  EXPECT_TRUE(decide(pod("EvictionByEvictionAPI", "", "Failed")).empty());
  EXPECT_TRUE(decide(pod("TerminationByKubelet")).empty());
}

TEST_F(StaleDisruption, IsLookedAtWhenItIsSaidAndNotWithEachChangeOfAPod) {
  world.add(pod("DeletionByTaintManager"));
  const Value told = world.cache(kinds::kPods).find("default", "web");
  const Value before = told.with_at({keys::kStatus, keys::kConditions}, Value::empty_array());
  EXPECT_EQ(world.woken_by(kinds::kPods, before, told).size(), 1U);
  EXPECT_EQ(world.woken_by(kinds::kPods, Value(), told).size(), 1U);
  EXPECT_TRUE(world.woken_by(kinds::kPods, told, told.with_at({keys::kStatus, keys::kPodIP}, "10.0.0.1")).empty());
  EXPECT_TRUE(world.woken_by(kinds::kPods, Value(), before).empty());
}

}  // namespace
}  // namespace minik::control
