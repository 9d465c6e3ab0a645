#include "control/controllers/pod_garbage.h"

#include "control/base/text.h"
#include "decision_world.h"

namespace minik::control {
namespace {

std::string pod_of(std::string_view name, std::string_view node, std::string_view phase = "Running",
                   std::string_view created = "2026-03-01T10:00:00Z", bool deleting = false) {
  return cat("\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: ", name,
             ", namespace: default, uid: uid-", name, ", creationTimestamp: '", created, "'",
             deleting ? ", deletionTimestamp: '2026-03-01T11:00:00Z'" : "",
             "}\nspec: {nodeName: ", node, "}\nstatus: {phase: ", phase, "}\n");
}

constexpr std::string_view kLostNode = R"(
apiVersion: v1
kind: Node
metadata: {name: node-1}
spec: {taints: [{key: node.kubernetes.io/out-of-service, effect: NoExecute}]}
status: {conditions: [{type: Ready, status: Unknown}]}
)";

TEST(PodGarbage, TakesThePodsOfAMissingNodeAfterFortySeconds) {
  DecisionWorld world(pod_garbage_controller());
  world.add(pod_of("a", "gone"));
  EXPECT_EQ(text_of(world.decide("", "pods")), "");
  world.now = world.now + seconds(40);
  const Plan plan = world.decide("", "pods");
  EXPECT_EQ(text_of(plan), "update pods a/status\ndelete pods a\n");
  EXPECT_EQ(plan.writes[0].request.body[keys::kStatus][keys::kPhase].as_string(), "Failed");
  EXPECT_EQ(plan.writes[1].request.options.grace_period_seconds, 0);
}

TEST(PodGarbage, TakesOnlyLeavingPodsOfANodeOutOfService) {
  DecisionWorld world(pod_garbage_controller());
  world.add(cat(kLostNode, pod_of("stays", "node-1"),
                pod_of("goes", "node-1", "Running", "2026-03-01T10:00:00Z", true)));
  EXPECT_EQ(text_of(world.decide("", "pods")), "update pods goes/status\ndelete pods goes\n");
}

TEST(PodGarbage, TakesTheOldestEndedPodsBeyondTheThreshold) {
  PodGarbageOptions options;
  options.ended_pods_max = 1;
  DecisionWorld world(pod_garbage_controller(options));
  world.add(cat("apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n",
                pod_of("new", "node-1", "Succeeded", "2026-03-01T11:00:00Z"),
                pod_of("old", "node-1", "Failed")));
  EXPECT_EQ(text_of(world.decide("", "pods")), "delete pods old\n");
}

}  // namespace
}  // namespace minik::control
