// What a namespace on its way out does next, on plain objects.
#include "control/controllers/namespaces.h"

#include <algorithm>

#include "control/base/text.h"
#include "decision_world.h"

namespace minik::control {
namespace {

std::string namespace_of(std::string_view metadata) {
  return cat("\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, uid: ns-1, resourceVersion: '4'", metadata,
             "}\nspec: {finalizers: [kubernetes]}\nstatus: {phase: Terminating}\n");
}
constexpr std::string_view kGoing = ", deletionTimestamp: '2026-03-01T11:59:00Z'";

std::string config_map(std::string_view name, std::string_view metadata = "") {
  return cat("\n---\n{apiVersion: v1, kind: ConfigMap, metadata: {name: ", name, ", namespace: shop, uid: uid-", name, metadata,
             "}}\n");
}

class NamespaceDecision : public ::testing::Test {
 protected:
  Plan decide() { return world.decide("", "shop"); }
  static std::string told(const Plan& plan, std::string_view type) {
    for (const auto& write : plan.writes) {
      if (write.request.kind != kinds::kNamespaces) continue;
      for (const auto& c : write.request.body[keys::kStatus][keys::kConditions].items()) {
        if (c[keys::kType].as_string() == type) {
          return cat(c[keys::kStatus].as_string(), " ", c[keys::kReason].as_string(), ": ", c[keys::kMessage].as_string());
        }
      }
    }
    return "";
  }
  static auto deletions(const Plan& plan, KindId kind) {
    return std::ranges::count_if(plan.writes, [&](const PlannedWrite& w) {
      return w.request.verb == Verb::kDeleteCollection && w.request.kind == kind;
    });
  }

  DecisionWorld world{namespace_controller(Schema::builtin())};
};

TEST_F(NamespaceDecision, IsLeftAloneWhileNobodyDeletesIt) {
  world.add(cat(namespace_of(""), config_map("a")));
  EXPECT_TRUE(decide().empty());
}

TEST_F(NamespaceDecision, DeletesWhatItHasAndSaysWhatIsLeft) {
  world.add(cat(namespace_of(kGoing), config_map("a"), config_map("b")));
  const Plan plan = decide();
  EXPECT_EQ(deletions(plan, kinds::kConfigmaps), 1);
  EXPECT_EQ(deletions(plan, kinds::kPods), 0);
  EXPECT_EQ(told(plan, "NamespaceContentRemaining"),
            "True SomeResourcesRemain: Some resources are remaining: configmaps. has 2 resource instances");
  EXPECT_EQ(told(plan, "NamespaceFinalizersRemaining"),
            "False ContentHasNoFinalizers: All content-preserving finalizers finished");
  EXPECT_EQ(told(plan, "NamespaceDeletionDiscoveryFailure"),
            "False ResourcesDiscovered: All resources successfully discovered");
}

TEST_F(NamespaceDecision, LetsPodsGoBeforeWhatGuardsThem) {
  world.add(cat(namespace_of(kGoing), config_map("a"),
                "\n---\n{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, uid: uid-web}}\n"));
  const Plan plan = decide();
  EXPECT_EQ(deletions(plan, kinds::kPods), 1);
  EXPECT_EQ(deletions(plan, kinds::kConfigmaps), 0);
  EXPECT_EQ(told(plan, "NamespaceContentRemaining"),
            "True SomeResourcesRemain: Some resources are remaining: pods. has 1 resource instances");
}

TEST_F(NamespaceDecision, AsksTheServerForPodsThatTheCacheDoesNotShowBeforeItDeletes) {
  world.add(cat(namespace_of(kGoing), config_map("a")));
  const Plan plan = decide();
  ASSERT_FALSE(plan.writes.empty());
  EXPECT_EQ(plan.writes.front().request.kind, kinds::kPods);
  EXPECT_TRUE(plan.writes.front().expect_empty);
}

TEST_F(NamespaceDecision, NamesTheFinalizersThatItWaitsForAndAsksNoTwice) {
  world.add(cat(namespace_of(kGoing),
                config_map("a", ", deletionTimestamp: '2026-03-01T11:59:00Z', finalizers: [example.com/hold]")));
  const Plan plan = decide();
  EXPECT_EQ(deletions(plan, kinds::kConfigmaps), 0) << "it is on its way out already";
  EXPECT_EQ(told(plan, "NamespaceFinalizersRemaining"),
            "True SomeFinalizersRemain: Some content in the namespace has finalizers remaining: example.com/hold in 1 "
            "resource instances");
}

TEST_F(NamespaceDecision, LetsGoOnlyWhenTheServerSaysThatNothingIsLeft) {
  world.add(namespace_of(kGoing));
  const Plan plan = decide();
  const auto asked = std::ranges::count_if(plan.writes, [](const PlannedWrite& w) { return w.expect_empty; });
  EXPECT_GT(asked, 20) << "every kind";
  const auto& last = plan.writes.back();
  EXPECT_EQ(last.request.subresource, "finalize");
  EXPECT_TRUE(last.request.body[keys::kSpec][keys::kFinalizers].empty());
  EXPECT_FALSE(last.independent);
}

TEST_F(NamespaceDecision, KeepsTheFinalizersOfOthers) {
  std::string home = namespace_of(kGoing);
  home.replace(home.find("[kubernetes]"), 12, "[kubernetes, example.com/audit]");
  world.add(home);
  const Plan plan = decide();
  const auto kept = plan.writes.back().request.body[keys::kSpec][keys::kFinalizers].items();
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(kept[0].as_string(), "example.com/audit");
}

TEST_F(NamespaceDecision, TellsTheOwnerOfAnotherFinalizerThatNothingIsLeft) {
  std::string home = namespace_of(kGoing);
  home.replace(home.find("[kubernetes]"), 12, "[example.com/audit]");
  world.add(home);
  const Plan plan = decide();
  EXPECT_EQ(plan.writes.size(), 1U);
  EXPECT_EQ(told(plan, "NamespaceContentRemaining"), "False ContentRemoved: All content successfully removed");
}

}  // namespace
}  // namespace minik::control
