#include "control/controllers/taint_eviction.h"

#include "control/base/text.h"
#include "decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kNode = R"(
apiVersion: v1
kind: Node
metadata: {name: node-1}
spec: {taints: [{key: node.kubernetes.io/unreachable, effect: NoExecute, timeAdded: "2026-03-01T11:59:00Z"}]}
)";

std::string pod_with(std::string_view tolerations) {
  return cat(
      "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: default, uid: u}\nspec: "
      "{nodeName: "
      "node-1, tolerations: [",
      tolerations, "]}\n");
}

TEST(TaintEviction, EvictsAPodThatDoesNotTolerate) {
  DecisionWorld world(taint_eviction_controller());
  world.add(cat(kNode, pod_with("")));
  EXPECT_EQ(text_of(world.decide("default", "web")),
            "update pods web/status\ndelete pods web | TaintManagerEviction: Marking for deletion "
            "Pod default/web\n");
}

TEST(TaintEviction, WaitsAsLongAsThePodTolerates) {
  DecisionWorld world(taint_eviction_controller());
  world.add(cat(
      kNode,
      pod_with("{key: node.kubernetes.io/unreachable, operator: Exists, tolerationSeconds: 300}")));
  const Plan waiting = world.decide("default", "web");
  EXPECT_TRUE(waiting.writes.empty());
  EXPECT_EQ(waiting.requeue_after, seconds(240));
  world.now = world.now + seconds(241);
  const Plan late = world.decide("default", "web");
  ASSERT_EQ(late.writes.size(), 2U);
  EXPECT_EQ(late.writes[1].counts.at(1).duration, seconds(1)) << "late";
}

constexpr std::string_view kPatience = "{key: node.kubernetes.io/unreachable, operator: Exists, tolerationSeconds: 300}";

TEST(TaintEviction, TellsThePodThatItMayStayAfterAll) {
  DecisionWorld world(taint_eviction_controller());
  world.add(cat(kNode, pod_with(kPatience)));
  const Value silent = world.cache(kinds::kNodes).find("", "node-1");
  world.decide("default", "web");
  const Value well = silent.with_at({keys::kSpec, keys::kTaints}, Value());
  world.cache(kinds::kNodes).put(well);
  ASSERT_EQ(world.woken_by(kinds::kNodes, silent, well).size(), 1U);
  const Plan relief = world.decide("default", "web");
  ASSERT_EQ(relief.events.size(), 1U);
  EXPECT_EQ(relief.events[0].reason, "TaintManagerEviction");
  EXPECT_EQ(relief.events[0].message, "Cancelling deletion of Pod default/web");
  EXPECT_TRUE(world.decide("default", "web").events.empty()) << "told once";
}

TEST(TaintEviction, SaysNothingToAPodThatWasNeverToGo) {
  DecisionWorld world(taint_eviction_controller());
  world.add("apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n");
  world.add(pod_with(kPatience));
  EXPECT_TRUE(world.decide("default", "web").empty());
}

TEST(TaintEviction, GrantsNoNewTimeWhenOneTaintTakesThePlaceOfAnother) {
  DecisionWorld world(taint_eviction_controller());
  world.add(cat(kNode, pod_with(kPatience)));
  world.decide("default", "web");
  world.now = world.now + seconds(100);
  std::string later(kNode);
  later.replace(later.find("11:59:00"), 8, "12:01:40");
  world.add(later);
  EXPECT_EQ(world.decide("default", "web").requeue_after, seconds(140));
}

TEST(TaintEviction, LooksAgainWhenThePodToleratesSomethingElse) {
  DecisionWorld world(taint_eviction_controller());
  world.add(cat(kNode, pod_with("{operator: Exists}")));
  const Value patient = world.cache(kinds::kPods).find("default", "web");
  const Value hasty = patient.with_at({keys::kSpec, keys::kTolerations}, Value());
  EXPECT_EQ(world.woken_by(kinds::kPods, patient, hasty).size(), 1U);
  EXPECT_TRUE(world.woken_by(kinds::kPods, patient, patient.with_at({keys::kStatus, keys::kPhase}, "Running")).empty());
}

TEST(TaintEviction, LeavesAPodThatToleratesForEver) {
  DecisionWorld world(taint_eviction_controller());
  world.add(cat(kNode, pod_with("{operator: Exists}")));
  EXPECT_TRUE(world.decide("default", "web").empty());
}

}  // namespace
}  // namespace minik::control
