// What a node's conditions and a zone's counts mean, on plain objects.
#include "control/controllers/node_judgement.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"

namespace minik::control {
namespace {

const WallTime kNow = *parse_time("2026-03-01T12:00:00Z");

Value node_of(std::string_view conditions, std::string_view spec = "") {
  const auto documents = parse_yaml(cat("{metadata: {name: a}, spec: {", spec, "}, status: {conditions: [", conditions, "]}}"));
  CHECK(documents.ok()) << documents.error().message;
  return (*documents)[0].value;
}

// "key:effect" of each taint, in their order.
std::string taints_of(const Value& node, Evicting evicting = Evicting::kNo) {
  const Value taints = judged_taints(node, evicting, kNow);
  std::vector<std::string> texts;
  for (const auto& taint : taints.items()) {
    texts.push_back(cat(taint[keys::kKey].as_string(), ":", taint[keys::kEffect].as_string()));
  }
  return join(texts, " ");
}

TEST(NodeJudgement, ANodeThatIsWellHasNoTaint) {
  EXPECT_EQ(taints_of(node_of("{type: Ready, status: 'True'}")), "");
}

TEST(NodeJudgement, ANodeThatIsNotReadyTakesNoPodsAndKeepsItsOwnUntilItsTurn) {
  const Value node = node_of("{type: Ready, status: 'False'}");
  EXPECT_EQ(taints_of(node), "node.kubernetes.io/not-ready:NoSchedule");
  EXPECT_EQ(taints_of(node, Evicting::kYes),
            "node.kubernetes.io/not-ready:NoSchedule node.kubernetes.io/not-ready:NoExecute");
}

TEST(NodeJudgement, ASilentNodeIsUnreachable) {
  EXPECT_EQ(taints_of(node_of("{type: Ready, status: Unknown}"), Evicting::kYes),
            "node.kubernetes.io/unreachable:NoSchedule node.kubernetes.io/unreachable:NoExecute");
}

TEST(NodeJudgement, ANodeThatNeverSpokeIsNotReady) {
  EXPECT_EQ(taints_of(node_of("")), "node.kubernetes.io/not-ready:NoSchedule");
}

TEST(NodeJudgement, EachPressureAndACordonKeepNewPodsAway) {
  EXPECT_EQ(taints_of(node_of("{type: Ready, status: 'True'}, {type: MemoryPressure, status: 'True'}, "
                              "{type: DiskPressure, status: 'False'}, {type: PIDPressure, status: 'True'}",
                              "unschedulable: true")),
            "node.kubernetes.io/memory-pressure:NoSchedule node.kubernetes.io/pid-pressure:NoSchedule "
            "node.kubernetes.io/unschedulable:NoSchedule");
}

TEST(NodeJudgement, TaintsOfOthersStayAndItsOwnGoWithTheirReason) {
  EXPECT_EQ(taints_of(node_of("{type: Ready, status: 'True'}",
                              "taints: [{key: team, effect: NoSchedule}, {key: node.kubernetes.io/unreachable, effect: "
                              "NoExecute}, {key: node.kubernetes.io/memory-pressure, effect: NoSchedule}, {key: "
                              "node.kubernetes.io/memory-pressure, effect: NoExecute}]")),
            "team:NoSchedule node.kubernetes.io/memory-pressure:NoExecute");
}

TEST(NodeJudgement, ATaintThatIsThereKeepsItsTime) {
  const Value node = node_of("{type: Ready, status: Unknown}",
                             "taints: [{key: node.kubernetes.io/unreachable, effect: NoSchedule, timeAdded: "
                             "'2026-03-01T11:00:00Z'}]");
  const Value taints = judged_taints(node, Evicting::kYes, kNow);
  ASSERT_EQ(taints.size(), 2U);
  EXPECT_EQ(taints.items()[0][keys::kTimeAdded].as_string(), "2026-03-01T11:00:00Z");
  EXPECT_EQ(taints.items()[1][keys::kTimeAdded].as_string(), "2026-03-01T12:00:00Z");
}

TEST(NodeJudgement, OfASilentNodeNothingIsKnown) {
  const Value node = silent_node(
      node_of("{type: Ready, status: 'True', reason: KubeletReady, lastHeartbeatTime: '2026-03-01T11:58:00Z'}"), kNow);
  const Value& ready = condition(node, "Ready");
  EXPECT_EQ(ready[keys::kStatus].as_string(), "Unknown");
  EXPECT_EQ(ready[keys::kReason].as_string(), "NodeStatusUnknown");
  EXPECT_EQ(ready[keys::kMessage].as_string(), "Kubelet stopped posting node status.");
  EXPECT_EQ(ready[keys::kLastHeartbeatTime].as_string(), "2026-03-01T11:58:00Z");
  EXPECT_EQ(ready[keys::kLastTransitionTime].as_string(), "2026-03-01T12:00:00Z");
  EXPECT_EQ(condition(node, "DiskPressure")[keys::kMessage].as_string(), "Kubelet never posted node status.");
  EXPECT_EQ(absence_taint(node), "node.kubernetes.io/unreachable");
}

TEST(NodeJudgement, ANodeThatNeverSpokeWasLastHeardWhenItWasMade) {
  const Value node = node_of("").with_at({keys::kMetadata, keys::kCreationTimestamp}, "2026-03-01T11:50:00Z");
  EXPECT_EQ(condition(silent_node(node, kNow), "Ready")[keys::kLastHeartbeatTime].as_string(), "2026-03-01T11:50:00Z");
}

// Seconds between two evictions; -1 for never.
int64_t pace(int64_t nodes, int64_t silent) {
  const auto pace = eviction_pace(nodes, silent, {});
  return pace ? pace->seconds() : -1;
}

TEST(NodeJudgement, AZoneIsEmptiedAtTheUsualPaceWhileMostOfItIsWell) {
  EXPECT_EQ(pace(10, 1), 10);
  EXPECT_EQ(pace(10, 5), 10);
  EXPECT_EQ(pace(3, 2), 10) << "two silent nodes are no trouble of the zone";
}

TEST(NodeJudgement, AZoneInTroubleIsEmptiedSlowlyOrNotAtAll) {
  EXPECT_EQ(pace(10, 6), -1);
  EXPECT_EQ(pace(50, 30), -1);
  EXPECT_EQ(pace(51, 30), 100);
}

TEST(NodeJudgement, AZoneThatIsDarkIsEmptiedAtTheUsualPace) {
  EXPECT_EQ(pace(4, 4), 10);
  EXPECT_EQ(pace(100, 100), 10);
}

}  // namespace
}  // namespace minik::control
