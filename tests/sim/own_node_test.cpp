// What a node agent makes of what others write into the status of its Node.
#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

class OwnNode : public OneNode<> {
 protected:
  OwnNode() { run(minutes(1)); }

  // As kubectl patch --subresource=status sends it.
  void patch_status(std::string_view status) {
    const auto result = patch(kinds::kNodes, "", "a", cat(R"({"status":)", status, "}"), "status", PatchType::kStrategicMerge);
    EXPECT_TRUE(result) << result.error().message;
    run(milliseconds(1));
  }
  Value node() { return store.find(kinds::kNodes, "", "a"); }
  std::string condition(std::string_view type) {
    for (const auto& c : node()[keys::kStatus][keys::kConditions].items()) {
      if (c[keys::kType].as_string() == type) return cat(c[keys::kStatus].as_string(), " ", c[keys::kReason].as_string());
    }
    return "";
  }
};

TEST_F(OwnNode, SaysWithinTenSecondsThatItIsReadyWhenItWasCalledLost) {
  patch_status(R"({"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown"}]})");
  ASSERT_EQ(condition("Ready"), "Unknown NodeStatusUnknown");
  run(seconds(11));
  EXPECT_EQ(condition("Ready"), "True KubeletReady");
}

TEST_F(OwnNode, OffersWhatSomebodyHasGivenIt) {
  patch_status(R"({"capacity":{"example.com/dongle":"4"}})");
  run(seconds(11));
  EXPECT_EQ(node()[keys::kStatus][keys::kAllocatable].get("example.com/dongle").as_string(), "4");
  run(minutes(6));
  EXPECT_EQ(node()[keys::kStatus][keys::kCapacity].get("example.com/dongle").as_string(), "4");
}

TEST_F(OwnNode, KeepsTheConditionsOfOthers) {
  patch_status(R"({"conditions":[{"type":"KernelDeadlock","status":"False","reason":"KernelHasNoDeadlock"}]})");
  run(minutes(6));
  EXPECT_EQ(condition("KernelDeadlock"), "False KernelHasNoDeadlock");
  EXPECT_EQ(condition("Ready"), "True KubeletReady");
}

// Kubernetes' agent registers once in its life (kubernetes#71398).
TEST_F(OwnNode, StaysAwayWhenItIsDeletedUntilTheAgentStartsAgain) {
  remove(kinds::kNodes, "", "a");
  run(minutes(20));
  EXPECT_TRUE(node().is_absent());
  start_agent();
  run(seconds(5));
  EXPECT_EQ(condition("Ready"), "True KubeletReady");
}

TEST_F(OwnNode, SaysInEventsThatItHasBegunAndThatItIsReadyAgain) {
  EXPECT_EQ(messages_of("Starting"), std::vector<std::string>{"Starting kubelet."});
  patch_status(R"({"conditions":[{"type":"Ready","status":"Unknown","reason":"NodeStatusUnknown"}]})");
  run(seconds(11));
  EXPECT_EQ(messages_of("NodeReady"), std::vector<std::string>{"Node a status is now: NodeReady"});
}

TEST_F(OwnNode, IsWrittenEveryFiveMinutesWhenNothingIsWrong) {
  int writes = 0;
  Value last = node();
  for (int second = 0; second < 3600; ++second) {
    run(seconds(1));
    if (node()[keys::kMetadata][keys::kResourceVersion] == last[keys::kMetadata][keys::kResourceVersion]) continue;
    last = node();
    ++writes;
  }
  EXPECT_EQ(writes, 12);
}

}  // namespace
}  // namespace minik::sim
