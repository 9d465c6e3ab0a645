#include "control/controllers/disruption.h"

#include "control/base/text.h"
#include "decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kSet = R"(
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web, namespace: default, uid: set}
spec: {replicas: 4, selector: {matchLabels: {app: web}}, template: {metadata: {labels: {app: web}}}}
)";

std::string budget_of(std::string_view rule, std::string_view status = "{}") {
  return cat("\n---\napiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: keep, ",
             "namespace: default, uid: keep, generation: 2}\nspec: {", rule,
             ", selector: {matchLabels: {app: web}}}\nstatus: ", status, "\n");
}

std::string pod_of(std::string_view name, std::string_view ready = "True",
                   std::string_view owners =
                       "[{apiVersion: apps/v1, kind: ReplicaSet, name: web, uid: set, "
                       "controller: true}]") {
  return cat("\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: ", name,
             ", namespace: default, uid: uid-", name,
             ", labels: {app: web}, ownerReferences: ", owners,
             "}\nstatus: {phase: Running, conditions: [{type: Ready, status: '", ready, "'}]}\n");
}

// healthy/desired/expected/allowed of the status that the plan writes.
std::string counts(const Plan& plan) {
  if (plan.writes.empty()) return "silent";
  const Value& s = plan.writes[0].request.body[keys::kStatus];
  return cat(s[keys::kCurrentHealthy].as_int(), "/", s[keys::kDesiredHealthy].as_int(), "/",
             s[keys::kExpectedPods].as_int(), "/", s[keys::kDisruptionsAllowed].as_int());
}

std::string decided(std::string_view rule, std::string_view status = "{}") {
  DecisionWorld world(disruption_controller());
  world.add(cat(kSet, budget_of(rule, status), pod_of("a"), pod_of("b"), pod_of("c"),
                pod_of("d", "False")));
  return counts(world.decide("default", "keep"));
}

TEST(Disruption, AllowsWhatIsHealthyBeyondTheMinimum) {
  EXPECT_EQ(decided("minAvailable: 2"), "3/2/4/1");
  EXPECT_EQ(decided("minAvailable: 3"), "3/3/4/0");
}

TEST(Disruption, RoundsPercentagesUp) {
  EXPECT_EQ(decided("minAvailable: 30%"), "3/2/4/1");
  EXPECT_EQ(decided("maxUnavailable: 30%"), "3/2/4/1");
}

TEST(Disruption, CountsUnavailableAgainstWhatTheOwnerWants) {
  EXPECT_EQ(decided("maxUnavailable: 1"), "3/3/4/0");
  EXPECT_EQ(decided("maxUnavailable: 9"), "3/0/4/3");
}

TEST(Disruption, CountsAGrantedEvictionForTwoMinutes) {
  EXPECT_EQ(decided("minAvailable: 1", "{disruptedPods: {a: '2026-03-01T11:59:00Z'}}"), "2/1/4/1");
  EXPECT_EQ(decided("minAvailable: 1", "{disruptedPods: {a: '2026-03-01T11:58:00Z'}}"), "3/1/4/2");
}

TEST(Disruption, NamesPodsThatNobodyManages) {
  DecisionWorld world(disruption_controller());
  world.add(cat(budget_of("maxUnavailable: 1"), pod_of("a", "True", "[]")));
  const Plan plan = world.decide("default", "keep");
  EXPECT_EQ(counts(plan), "1/0/0/0");
  ASSERT_EQ(plan.events.size(), 1U);
  EXPECT_EQ(plan.events[0].reason, "UnmanagedPods");
}

TEST(Disruption, IsSilentWhenNothingChanged) {
  DecisionWorld world(disruption_controller());
  world.add(cat(kSet, budget_of("minAvailable: 1"), pod_of("a")));
  const Plan first = world.decide("default", "keep");
  ASSERT_EQ(first.writes.size(), 1U);
  world.cache(kinds::kPoddisruptionbudgets).put(first.writes[0].request.body);
  EXPECT_TRUE(world.decide("default", "keep").empty());
}

TEST(Disruption, APodWakesTheBudgetsThatSelectIt) {
  DecisionWorld world(disruption_controller());
  world.add(cat(budget_of("minAvailable: 1"), pod_of("a")));
  const Value pod = world.cache(kinds::kPods).find("default", "a");
  EXPECT_EQ(world.woken_by(kinds::kPods, Value::absent(), pod).size(), 1U);
}

}  // namespace
}  // namespace minik::control
