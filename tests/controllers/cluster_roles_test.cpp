#include "control/controllers/cluster_roles.h"

#include "decision_world.h"

namespace minik::control {
namespace {

std::string role(std::string_view name, std::string_view labels, std::string_view rest) {
  return cat(
      "\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: ", name,
      ", resourceVersion: '1', labels: {", labels, "}}\n", rest, "\n");
}
std::string reads(std::string_view what) {
  return cat("rules: [{apiGroups: [''], resources: [", what, "], verbs: [get]}]");
}
constexpr std::string_view kCollects =
    "aggregationRule: {clusterRoleSelectors: [{matchLabels: {to: view}}, {matchLabels: {to: "
    "edit}}]}";

class ClusterRoles : public ::testing::Test {
 protected:
  DecisionWorld world{cluster_role_aggregation_controller()};
};

TEST_F(ClusterRoles, CollectTheRulesThatTheirSelectorsFindOnce) {
  world.add(cat(role("all", "", kCollects), role("b", "to: view", reads("pods")),
                role("a", "to: edit", reads("secrets")), role("c", "to: view", reads("pods")),
                role("d", "to: nobody", reads("nodes"))));
  const Plan plan = world.decide("", "all");
  ASSERT_EQ(text_of(plan), "update clusterroles all\n");
  const auto rules = plan.writes[0].request.body[keys::kRules].items();
  ASSERT_EQ(rules.size(), 2U);
  EXPECT_EQ(rules[0][keys::kResources].items()[0].as_string(), "pods");
  EXPECT_EQ(rules[1][keys::kResources].items()[0].as_string(), "secrets");
  world.cache(kinds::kClusterroles).put(plan.writes[0].request.body);
  EXPECT_TRUE(world.decide("", "all").empty());
}

TEST_F(ClusterRoles, DoNotCollectThemselvesOrWithoutARule) {
  world.add(cat(role("all", "to: view", cat(kCollects, "\n", reads("pods"))),
                role("b", "", reads("pods"))));
  EXPECT_TRUE(world.decide("", "all").writes.at(0).request.body[keys::kRules].empty());
  EXPECT_TRUE(world.decide("", "b").empty());
}

TEST_F(ClusterRoles, AreWokenByARoleWhoseRulesOrLabelsChanged) {
  world.add(cat(role("all", "", kCollects), role("b", "to: view", reads("pods"))));
  const Value b = world.cache(kinds::kClusterroles).find("", "b");
  EXPECT_EQ(world.woken_by(kinds::kClusterroles, b, b.with(keys::kRules, Value())).size(), 1U);
  EXPECT_TRUE(world.woken_by(kinds::kClusterroles, b, b).empty());
}

}  // namespace
}  // namespace minik::control
