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
  world.now = world.now + seconds(240);
  EXPECT_EQ(world.decide("default", "web").writes.size(), 2U);
}

TEST(TaintEviction, LeavesAPodThatToleratesForEver) {
  DecisionWorld world(taint_eviction_controller());
  world.add(cat(kNode, pod_with("{operator: Exists}")));
  EXPECT_TRUE(world.decide("default", "web").empty());
}

}  // namespace
}  // namespace minik::control
