#include "control/controllers/ttl_after_finished.h"

#include "control/base/text.h"
#include "decision_world.h"

namespace minik::control {
namespace {

// The world's clock stands at noon.
Plan decided(std::string_view spec, std::string_view condition, std::string_view metadata = "") {
  DecisionWorld world(ttl_after_finished_controller());
  world.add(
      cat("apiVersion: batch/v1\nkind: Job\nmetadata: {name: sum, namespace: default, uid: "
          "job-1, resourceVersion: '9'",
          metadata, "}\nspec: {", spec, "}\nstatus: {conditions: [", condition, "]}\n"));
  return world.decide("default", "sum");
}

constexpr std::string_view kComplete =
    "{type: Complete, status: 'True', lastTransitionTime: '2026-03-01T11:59:00Z'}";

TEST(TtlAfterFinished, DeletesAJobWhoseTimeIsOver) {
  for (const auto* type : {"Complete", "Failed"}) {
    const Plan plan = decided(
        "ttlSecondsAfterFinished: 60",
        cat("{type: ", type, ", status: 'True', lastTransitionTime: '2026-03-01T11:59:00Z'}"));
    EXPECT_EQ(text_of(plan), "delete jobs sum\n");
    EXPECT_EQ(plan.writes[0].request.options.propagation, PropagationPolicy::kForeground);
  }
}

TEST(TtlAfterFinished, DeletesTheVersionThatItHasSeen) {
  const auto& options = decided("ttlSecondsAfterFinished: 0", kComplete).writes[0].request.options;
  EXPECT_EQ(options.preconditions.resource_version, "9");
  EXPECT_EQ(options.preconditions.uid, "job-1");
}

TEST(TtlAfterFinished, WaitsForTheRestOfTheTime) {
  const Plan plan = decided("ttlSecondsAfterFinished: 100", kComplete);
  EXPECT_EQ(text_of(plan), "");
  EXPECT_EQ(plan.requeue_after, seconds(40));
}

TEST(TtlAfterFinished, LeavesAloneWhatRunsOrGoesOrMayStay) {
  EXPECT_TRUE(decided("ttlSecondsAfterFinished: 0", "{type: Complete, status: 'False'}").empty());
  EXPECT_TRUE(
      decided("ttlSecondsAfterFinished: 0", "{type: SuccessCriteriaMet, status: 'True'}").empty());
  EXPECT_TRUE(decided("suspend: false", kComplete).empty());
  EXPECT_TRUE(decided("ttlSecondsAfterFinished: 0", kComplete,
                      ", deletionTimestamp: '2026-03-01T11:59:30Z'")
                  .empty());
}

}  // namespace
}  // namespace minik::control
