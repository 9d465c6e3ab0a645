#include "control/controllers/disruption.h"

#include "control/base/text.h"
#include "control/schema/kind_registry.h"
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
  DecisionWorld world(disruption_controller(Schema::builtin()));
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

TEST(Disruption, TellsAPodThatTwoBudgetsGuardIt) {
  DecisionWorld world(disruption_controller(Schema::builtin()));
  std::string other = budget_of("minAvailable: 1");
  other.replace(other.find("name: keep"), 10, "name: also");
  world.add(cat(kSet, budget_of("minAvailable: 1", "{observedGeneration: 1}"), other, pod_of("a")));
  const Plan plan = world.decide("default", "keep");
  ASSERT_EQ(plan.events.size(), 1U);
  EXPECT_EQ(plan.events[0].reason, "MultiplePodDisruptionBudgets");
  EXPECT_EQ(plan.events[0].message,
            "Pod \"default\"/\"a\" matches multiple PodDisruptionBudgets.  Chose \"also\" arbitrarily.");
  world.add(budget_of("minAvailable: 1", "{observedGeneration: 2}"));
  EXPECT_TRUE(world.decide("default", "keep").events.empty()) << "told once of each budget";
}

TEST(Disruption, NamesPodsThatNobodyManages) {
  DecisionWorld world(disruption_controller(Schema::builtin()));
  world.add(cat(budget_of("maxUnavailable: 1"), pod_of("a", "True", "[]")));
  const Plan plan = world.decide("default", "keep");
  EXPECT_EQ(counts(plan), "1/0/0/0");
  ASSERT_EQ(plan.events.size(), 1U);
  EXPECT_EQ(plan.events[0].reason, "UnmanagedPods");
  EXPECT_EQ(plan.events[0].message,
            "Pods selected by this PodDisruptionBudget (selector: &LabelSelector{MatchLabels:map[string]string{app: "
            "web,},MatchExpressions:[]LabelSelectorRequirement{},}) were found to be unmanaged. As a result, the status "
            "of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these "
            "pods please set \".spec.minAvailable\" field of the PDB to an integer value.");
}

TEST(Disruption, AllowsNothingWhereAControllerDoesNotSayHowManyPodsItWants) {
  DecisionWorld world(disruption_controller(Schema::builtin()));
  world.add(cat(budget_of("maxUnavailable: 1", "{disruptionsAllowed: 2}"),
                pod_of("a", "True", "[{apiVersion: batch/v1, kind: Job, name: sum, uid: job, controller: true}]")));
  const Plan plan = world.decide("default", "keep");
  ASSERT_EQ(plan.writes.size(), 1U);
  const Value& status = plan.writes[0].request.body[keys::kStatus];
  EXPECT_EQ(status[keys::kDisruptionsAllowed].as_int(), 0);
  const Value& told = status[keys::kConditions].items()[0];
  EXPECT_EQ(told[keys::kReason].as_string(), "SyncFailed");
  EXPECT_EQ(told[keys::kMessage].as_string(), "jobs.batch does not implement the scale subresource");
  ASSERT_EQ(plan.events.size(), 1U);
  EXPECT_EQ(plan.events[0].message,
            "Failed to calculate the number of expected pods: jobs.batch does not implement the scale subresource");
}

TEST(Disruption, AsksOwnersOfOtherKindsForTheirScale) {
  KindRegistry registry;
  const Schema schema(registry);
  const KindId shards = *registry.served("example.com", "v1", "shards");
  const ResourceInfo info{.id = shards, .group = "example.com", .version = "v1", .plural = "shards", .singular = "shard",
                          .kind = "Shard", .namespaced = true, .verbs = "get", .short_names = "", .categories = "",
                          .selectable_fields = "", .type = nullptr,
                          .subresources = {{"scale", "Scale", "autoscaling", "v1", nullptr, "get"}},
                          .api_version = "example.com/v1"};
  registry.define(shards, info);
  DecisionWorld world(disruption_controller(schema));
  const std::string owner = "[{apiVersion: example.com/v1, kind: Shard, name: db, uid: shard-1, controller: true}]";
  world.add(cat(budget_of("maxUnavailable: 1"), pod_of("a", "True", owner), pod_of("b", "True", owner)));
  const Plan question = world.decide("default", "keep");
  ASSERT_EQ(question.writes.size(), 1U) << "one question for both pods";
  EXPECT_EQ(question.writes[0].request.subresource, "scale");
  EXPECT_EQ(question.writes[0].request.name, "db");
  const auto scale = [](std::string_view uid) {
    return [uid](const ApiRequest&) {
      return ApiResponse{Value::map({{keys::kMetadata, Value::map({{keys::kUid, uid}})},
                                     {keys::kSpec, Value::map({{keys::kReplicas, 2}})}}),
                         false, false, {}};
    };
  };
  EXPECT_EQ(counts(world.follow(question, scale("shard-1"))), "2/1/2/1");
  const auto reason = [](const Plan& plan) {
    return plan.writes[0].request.body[keys::kStatus][keys::kConditions].items()[0][keys::kMessage].string();
  };
  EXPECT_EQ(reason(world.follow(question, scale("a-namesake"))), "found no controllers for pod \"a\"");
  EXPECT_EQ(reason(world.follow(question, [](const ApiRequest&) { return Error(ErrorCode::kTimeout, "no answer"); })),
            "no answer");
}

TEST(Disruption, AMinimumThatIsANumberAsksNoController) {
  DecisionWorld world(disruption_controller(Schema::builtin()));
  world.add(cat(budget_of("minAvailable: 1"),
                pod_of("a", "True", "[{apiVersion: batch/v1, kind: Job, name: sum, uid: job, controller: true}]"),
                pod_of("b", "True", "[]")));
  EXPECT_EQ(counts(world.decide("default", "keep")), "2/1/2/1");
}

TEST(Disruption, SaysOfAPodThatSomebodyWasLetToEvictAndDidNot) {
  DecisionWorld world(disruption_controller(Schema::builtin()));
  world.add(cat(kSet, budget_of("minAvailable: 1", "{disruptedPods: {a: '2026-03-01T11:58:00Z'}}"), pod_of("a")));
  const Plan plan = world.decide("default", "keep");
  ASSERT_EQ(plan.events.size(), 1U);
  EXPECT_EQ(plan.events[0].reason, "NotDeleted");
  EXPECT_EQ(plan.events[0].message, "Pod was expected by PDB default/keep to be deleted but it wasn't");
}

TEST(Disruption, IsSilentWhenNothingChanged) {
  DecisionWorld world(disruption_controller(Schema::builtin()));
  world.add(cat(kSet, budget_of("minAvailable: 1"), pod_of("a")));
  const Plan first = world.decide("default", "keep");
  ASSERT_EQ(first.writes.size(), 1U);
  world.cache(kinds::kPoddisruptionbudgets).put(first.writes[0].request.body);
  EXPECT_TRUE(world.decide("default", "keep").empty());
}

TEST(Disruption, APodWakesTheBudgetsThatSelectIt) {
  DecisionWorld world(disruption_controller(Schema::builtin()));
  world.add(cat(budget_of("minAvailable: 1"), pod_of("a")));
  const Value pod = world.cache(kinds::kPods).find("default", "a");
  EXPECT_EQ(world.woken_by(kinds::kPods, Value::absent(), pod).size(), 1U);
}

}  // namespace
}  // namespace minik::control
