#include "control/controllers/resource_quota.h"

#include "decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kQuota = R"(
apiVersion: v1
kind: ResourceQuota
metadata: {name: q, namespace: default, uid: q-1, resourceVersion: "1"}
spec: {hard: {pods: "4", requests.cpu: "2", count/pods: "9", services: "3"}}
)";

std::string pod(std::string_view name, std::string_view phase, std::string_view metadata = "") {
  return cat(
      "\n---\napiVersion: v1\nkind: Pod\nmetadata: {name: ", name, ", namespace: default", metadata,
      "}\nspec: {containers: [{name: c, resources: {requests: {cpu: 250m}}}]}\nstatus: {phase: ",
      phase, "}\n");
}

class ResourceQuota : public ::testing::Test {
 protected:
  Value status_after(const Plan& plan) { return plan.writes.at(0).request.body[keys::kStatus]; }
  DecisionWorld world{resource_quota_controller(Schema::builtin())};
};

TEST_F(ResourceQuota, CountsWhatIsThereForTheFirstTime) {
  world.add(cat(kQuota, pod("a", "Running"), pod("b", "Pending"), pod("c", "Succeeded")));
  const Plan plan = world.decide("default", "q");
  EXPECT_EQ(text_of(plan), "update resourcequotas q/status\n");
  const Value status = status_after(plan);
  EXPECT_EQ(status[keys::kHard].get("pods").as_string(), "4");
  const Value& used = status[keys::kUsed];
  EXPECT_EQ(used.get("pods").as_string(), "2");
  EXPECT_EQ(used.get("requests.cpu").as_string(), "500m");
  EXPECT_EQ(used.get("count/pods").as_string(), "3");
  EXPECT_EQ(used.get("services").as_string(), "0");
}

TEST_F(ResourceQuota, CountsAPodOfAnotherSizeForWhatItAsks) {
  world.add(cat(kQuota, pod("a", "Running"), pod("b", "Running"), R"(
---
apiVersion: v1
kind: Pod
metadata: {name: c, namespace: default}
spec:
  initContainers: [{name: i, resources: {requests: {cpu: "1"}}}]
  containers: [{name: c, resources: {requests: {cpu: 250m}}}]
status: {phase: Running}
)"));
  const Value used = status_after(world.decide("default", "q"))[keys::kUsed];
  EXPECT_EQ(used.get("pods").as_string(), "3");
  EXPECT_EQ(used.get("requests.cpu").as_string(), "1500m");
}

TEST_F(ResourceQuota, IsSilentWhenTheCountIsRight) {
  world.add(cat(kQuota, pod("a", "Running")));
  world.cache(kinds::kResourcequotas).put(world.decide("default", "q").writes.at(0).request.body);
  const Plan plan = world.decide("default", "q");
  EXPECT_TRUE(plan.writes.empty());
  EXPECT_EQ(plan.requeue_after, minutes(5));
}

TEST_F(ResourceQuota, LetsGoOfAPodWhoseGraceIsOver) {
  world.add(cat(
      kQuota, pod("a", "Running",
                  ", deletionTimestamp: '2026-03-01T12:00:10Z', deletionGracePeriodSeconds: 30")));
  const Plan plan = world.decide("default", "q");
  EXPECT_EQ(status_after(plan)[keys::kUsed].get("pods").as_string(), "1");
  EXPECT_EQ(plan.requeue_after, seconds(40) + milliseconds(1));
  world.now = world.now + *plan.requeue_after;
  EXPECT_EQ(status_after(world.decide("default", "q"))[keys::kUsed].get("pods").as_string(), "0");
}

TEST_F(ResourceQuota, CountsWhatChangesWithoutCountingAnew) {
  world.add(cat(kQuota, pod("a", "Running"), pod("b", "Running")));
  EXPECT_EQ(status_after(world.decide("default", "q"))[keys::kUsed].get("requests.cpu").as_string(), "500m");
  const Value b = world.cache(kinds::kPods).find("default", "b");
  world.cache(kinds::kPods).erase("default", "b");
  world.woken_by(kinds::kPods, b, Value());
  EXPECT_EQ(status_after(world.decide("default", "q"))[keys::kUsed].get("requests.cpu").as_string(), "250m");
  // What it was never told of it finds within five minutes.
  world.add(pod("c", "Running"));
  EXPECT_EQ(status_after(world.decide("default", "q"))[keys::kUsed].get("requests.cpu").as_string(), "250m");
  world.now = world.now + minutes(5);
  EXPECT_EQ(status_after(world.decide("default", "q"))[keys::kUsed].get("requests.cpu").as_string(), "500m");
}

TEST_F(ResourceQuota, LeavesAnAmountThatIsRightInTheUnitThatItWasWrittenIn) {
  world.add(cat(kQuota, pod("a", "Running")));
  const Value written = world.decide("default", "q").writes.at(0).request.body;
  world.cache(kinds::kResourcequotas).put(written.with_at({keys::kStatus, keys::kUsed, Key("requests.cpu")}, "0.25"));
  EXPECT_TRUE(world.decide("default", "q").writes.empty());
}

TEST_F(ResourceQuota, IsWokenByWhatFreesSomethingAndNotByWhatIsCharged) {
  world.add(cat(kQuota, pod("a", "Running")));
  const Value running = world.cache(kinds::kPods).find("default", "a");
  const Value ended = running.with_at({keys::kStatus, keys::kPhase}, "Failed");
  EXPECT_TRUE(world.woken_by(kinds::kPods, Value(), running).empty());
  EXPECT_TRUE(world
                  .woken_by(kinds::kPods, running,
                            running.with_at({keys::kStatus, keys::kPodIP}, "10.0.0.1"))
                  .empty());
  EXPECT_EQ(world.woken_by(kinds::kPods, running, ended).size(), 1U);
  EXPECT_EQ(world.woken_by(kinds::kPods, running, Value()).size(), 1U);
  EXPECT_TRUE(world.woken_by(kinds::kConfigmaps, running, Value()).empty());
  const Value quota = world.cache(kinds::kResourcequotas).find("default", "q");
  EXPECT_TRUE(world
                  .woken_by(kinds::kResourcequotas, quota,
                            quota.with_at({keys::kStatus, keys::kUsed}, Value::empty_map()))
                  .empty());
}

}  // namespace
}  // namespace minik::control
