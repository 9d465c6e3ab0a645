// The autoscaler over the whole simulated cluster: load, measurement, decision, new pods, less load for each.
#include <gtest/gtest.h>

#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "tests/controllers/converge.h"

namespace minik::sim {
namespace {

namespace keys = control::keys;
namespace kinds = control::kinds;

constexpr std::string_view kWeb = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1", resources: {requests: {cpu: 500m}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 10
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
)";

class AutoscalingTest : public ::testing::Test {
 protected:
  AutoscalingTest() {
    ClusterOptions options;
    options.seed = 11;
    NodePool pool;
    pool.count = 3;
    options.pools = {pool};
    options.images = {ImageBehaviour{}};
    cluster = std::make_unique<SimulatedCluster>(options, nullptr);
    cluster->start();
    run(seconds(10));
    add(kWeb);
  }
  void add(std::string_view yaml) {
    for (const auto& change : apply_at({}, yaml)) {
      cluster->request(change.request, [](const auto& result) { ASSERT_TRUE(result) << result.error().message; });
    }
  }
  void run(Duration duration) { cluster->executor().run_until(cluster->executor().now() + duration); }
  int64_t replicas() const {
    return cluster->store().find(kinds::kDeployments, "default", "web")[keys::kSpec][keys::kReplicas].as_int();
  }

  std::unique_ptr<SimulatedCluster> cluster;
};

TEST_F(AutoscalingTest, FollowsTheLoadUpAtOnceAndDownAfterFiveMinutes) {
  run(minutes(2));
  EXPECT_EQ(replicas(), 1);
  cluster->set_load("*", 2000);  // eight pods at half of their 500m
  run(minutes(8));
  EXPECT_EQ(replicas(), 8);
  cluster->set_load("*", 100);
  run(minutes(4));
  EXPECT_EQ(replicas(), 8);
  run(minutes(4));
  EXPECT_EQ(replicas(), 1);
}

TEST_F(AutoscalingTest, LeavesWhatItFindsForFiveMinutesAndSaysWhatItWas) {
  add(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: idle}
spec:
  replicas: 6
  selector: {matchLabels: {app: idle}}
  template:
    metadata: {labels: {app: idle}}
    spec: {containers: [{name: idle, image: "web:1", resources: {requests: {cpu: 100m}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: idle}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: idle}
  maxReplicas: 10
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
)");
  const auto idle = [&] { return cluster->store().find(kinds::kDeployments, "default", "idle")[keys::kSpec][keys::kReplicas].as_int(); };
  const auto status = [&] { return cluster->store().find(kinds::kHorizontalpodautoscalers, "default", "idle")[keys::kStatus]; };
  cluster->set_load("*", 10);
  run(minutes(4));
  EXPECT_EQ(idle(), 6);
  EXPECT_EQ(status()[keys::kCurrentReplicas].as_int(), 6);
  EXPECT_FALSE(status()[keys::kCurrentMetrics].empty());
  run(minutes(3));
  EXPECT_EQ(idle(), 1);
  // Switched off by hand: nothing is measured, and nothing of before is shown.
  control::ApiRequest off;
  off.verb = control::Verb::kPatch;
  off.kind = kinds::kDeployments;
  off.namespace_ = "default";
  off.name = "idle";
  off.patch_type = control::PatchType::kMerge;
  off.body = control::Value::map({{keys::kSpec, control::Value::map({{keys::kReplicas, int64_t{0}}})}});
  cluster->request(off, [](const auto& result) { ASSERT_TRUE(result) << result.error().message; });
  run(minutes(1));
  EXPECT_EQ(status()[keys::kDesiredReplicas].as_int(-1), 0);
  EXPECT_TRUE(status()[keys::kCurrentMetrics].empty());
}

TEST_F(AutoscalingTest, StopsAtItsMaximum) {
  cluster->set_load("*", 50'000);
  run(minutes(10));
  EXPECT_EQ(replicas(), 10);
}

TEST_F(AutoscalingTest, LeavesPodsAloneThatTwoAutoscalersClaim) {
  add(R"(
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: other}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  maxReplicas: 5
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
)");
  run(minutes(1));
  cluster->set_load("*", 2000);
  run(minutes(8));
  EXPECT_EQ(replicas(), 1);
  for (const auto& told : cluster->store()
                              .find(kinds::kHorizontalpodautoscalers, "default", "web")[keys::kStatus][keys::kConditions]
                              .items()) {
    if (told[keys::kType].as_string() != "ScalingActive") continue;
    EXPECT_EQ(told[keys::kReason].as_string(), "AmbiguousSelector");
    EXPECT_EQ(told[keys::kMessage].as_string(),
              "pods by selector app=web are controlled by multiple HPAs: [default/other default/web]");
  }
}

}  // namespace
}  // namespace minik::sim
