#include "control/controllers/deletion_order.h"

#include <gtest/gtest.h>

#include "control/base/rng.h"
#include "control/base/text.h"
#include "control/client/controller.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {
namespace {

const WallTime kNow = *parse_time("2026-03-01T12:00:00Z");

Value pod(const std::string& name, const std::string& set, const std::string& node, Rng& rng) {
  static constexpr std::string_view kPhases[] = {"Pending", "Running", "Running", "Running", "Unknown", "Succeeded"};
  const auto condition = Value::map(
      {{keys::kType, "Ready"},
       {keys::kStatus, rng.below(3) == 0 ? "False" : "True"},
       {keys::kLastTransitionTime, format_time(kNow - seconds(static_cast<int64_t>(rng.below(5'000))))}});
  std::vector<MapEntry> metadata{
      {keys::kName, name},
      {keys::kNamespace, "default"},
      {keys::kUid, cat("uid-", name)},
      {keys::kCreationTimestamp, format_time(kNow - hours(2))},
      {keys::kOwnerReferences,
       Value::array({Value::map({{keys::kKind, "ReplicaSet"}, {keys::kUid, set}, {keys::kController, true}})})}};
  if (rng.below(6) == 0) metadata.push_back({keys::kDeletionTimestamp, format_time(kNow)});
  if (rng.below(6) == 0) {
    metadata.push_back({keys::kAnnotations, Value::map({{"controller.kubernetes.io/pod-deletion-cost",
                                                         std::to_string(rng.below(3))}})});
  }
  return Value::map(
      {{keys::kMetadata, Value::map(std::move(metadata))},
       {keys::kSpec, Value::map({{keys::kNodeName, node}})},
       {keys::kStatus,
        Value::map({{keys::kPhase, kPhases[rng.below(std::size(kPhases))]},
                    {keys::kConditions, Value::array({condition})},
                    {keys::kContainerStatuses,
                     Value::array({Value::map({{keys::kRestartCount, static_cast<int64_t>(rng.below(3))}})})}})}});
}

// The cache of pods with the view, and the order as it is found by looking at every pod.
class DeletionOrders : public ::testing::Test {
 protected:
  DeletionOrders() : pods(kinds::kPods) {
    WatchedKind{kinds::kPods, {}, {}, {}, false, {{DeletionOrder::kName, &DeletionOrder::make}}}.declare_in(pods);
  }

  std::vector<Value> live(std::string_view set) const {
    auto found = pods.indexed(kByController, set);
    std::erase_if(found, [](const Value& pod) { return !is_pod_active(pod); });
    return found;
  }

  std::string looked_up(const std::string& set, const std::string& sibling, size_t number) const {
    const auto own = live(set), others = live(sibling);
    PodsByNode crowds;
    for (const auto* of_set : {&own, &others}) {
      for (const auto& pod : *of_set) ++crowds[pod[keys::kSpec][keys::kNodeName].as_string()];
    }
    auto ordered = by_deletion_rank(own, crowds, kNow);
    if (ordered.size() > number) ordered.resize(number);
    return names(ordered);
  }

  std::string kept_up(const std::string& set, const std::string& sibling, size_t number) const {
    return names(pods.view<DeletionOrder>().first(pods, set_object(set), std::vector{sibling}, kNow, number));
  }

  static Value set_object(const std::string& uid) {
    return Value::map({{keys::kMetadata, Value::map({{keys::kNamespace, "default"}, {keys::kUid, uid}})}});
  }

  static std::string names(const std::vector<Value>& pods) {
    std::string text;
    for (const auto& pod : pods) text += cat(object_name(pod), " ");
    return text;
  }

  ObjectCache pods;
};

TEST_F(DeletionOrders, IsWhatLookingAtEveryPodFinds) {
  Rng rng(7);
  size_t asked = 0;
  for (int step = 0; step < 4'000; ++step) {
    const std::string name = cat("pod-", rng.below(60));
    if (rng.below(4) == 0) {
      pods.erase("default", name);
    } else {
      const uint64_t node = rng.below(6);
      pods.put(pod(name, cat("set-", rng.below(3)), node == 0 ? "" : cat("node-", node), rng));
    }
    if (rng.below(200) == 0) pods.clear();
    if (rng.below(3) != 0) continue;
    const std::string set = cat("set-", rng.below(2)), sibling = set == "set-0" ? "set-1" : "set-0";
    const size_t number = rng.below(8);
    const std::string expected = looked_up(set, sibling, number);
    ASSERT_EQ(kept_up(set, sibling, number), expected) << "step " << step << ", " << number << " of " << set;
    asked += expected.empty() ? 0 : 1;
  }
  EXPECT_GT(asked, 500U);
}

// As somebody makes them who copies pods with their owners into another namespace; the garbage collector takes them.
TEST_F(DeletionOrders, LeavesPodsOfOtherNamespacesAlone) {
  Rng rng(3);
  const Value mine = pod("a", "set-0", "", rng).with_at({keys::kMetadata, keys::kDeletionTimestamp}, Value())
                         .with_at({keys::kStatus, keys::kPhase}, "Pending");
  const Value stray = mine.with_at({keys::kMetadata, keys::kNamespace}, "elsewhere");
  pods.put(mine);
  pods.put(stray);
  EXPECT_EQ(kept_up("set-0", "set-1", 2), "a ");
  pods.erase("elsewhere", "a");
  pods.put(mine.with_at({keys::kSpec, keys::kNodeName}, "node-1"));
  EXPECT_EQ(kept_up("set-0", "set-1", 2), "a ");
  pods.erase("default", "a");
  EXPECT_EQ(kept_up("set-0", "set-1", 2), "");
}

TEST_F(DeletionOrders, ThinsOutTheNodeThatASiblingCrowds) {
  Rng rng(1);
  const auto ready_on = [&](const std::string& name, const std::string& set, const std::string& node) {
    return pod(name, set, node, rng)
        .with_at({keys::kStatus, keys::kPhase}, "Running")
        .with_at({keys::kStatus, keys::kConditions}, Value())
        .with_at({keys::kMetadata, keys::kDeletionTimestamp}, Value())
        .with_at({keys::kMetadata, keys::kAnnotations}, Value());
  };
  pods.put(ready_on("a", "set-0", "node-1"));
  pods.put(ready_on("b", "set-0", "node-2"));
  pods.put(ready_on("c", "set-1", "node-2"));
  EXPECT_EQ(kept_up("set-0", "set-1", 1), "b ");
  pods.put(ready_on("d", "set-1", "node-1"));
  pods.put(ready_on("e", "set-1", "node-1"));
  EXPECT_EQ(kept_up("set-0", "set-1", 1), "a ");
}

}  // namespace
}  // namespace minik::control
