#include "sim/cluster.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"

namespace minik::sim {
namespace {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::ApiRequest;
using control::ApiResponse;
using control::Value;
using control::Verb;

constexpr std::string_view kWeb = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 20
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        ports: [{containerPort: 80}]
        readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1}
        resources: {requests: {cpu: 100m, memory: 64Mi}}
)";

class ClusterTest : public ::testing::Test {
 protected:
  void make(uint64_t seed, int64_t nodes, Trace* trace = nullptr,
            const ImageBehaviour& image = {}) {
    ClusterOptions options;
    options.images = {image};
    options.seed = seed;
    NodePool pool;
    pool.count = nodes;
    options.pools = {pool};
    cluster = std::make_unique<SimulatedCluster>(options, trace);
    cluster->start();
  }

  Result<ApiResponse> call(ApiRequest request) {
    std::optional<Result<ApiResponse>> answer;
    cluster->request(std::move(request), [&](Result<ApiResponse> result) { answer = std::move(result); });
    cluster->executor().run_until(cluster->executor().now() + seconds(5), [&] { return answer.has_value(); });
    return answer ? *std::move(answer) : Error(ErrorCode::kTimeout, "no answer");
  }

  void apply(std::string_view yaml) {
    const auto documents = control::parse_yaml(yaml);
    ASSERT_TRUE(documents) << documents.error().message;
    for (const auto& document : *documents) {
      const auto* resource = control::Schema::builtin().find_kind(document.value[keys::kApiVersion].as_string(),
                                                                   document.value[keys::kKind].as_string());
      ASSERT_NE(resource, nullptr);
      ApiRequest request;
      request.verb = Verb::kCreate;
      request.kind = resource->id;
      request.namespace_ = control::object_namespace(document.value);
      request.body = document.value;
      const auto result = call(std::move(request));
      ASSERT_TRUE(result) << result.error().message;
    }
  }

  Value get(control::KindId kind, std::string namespace_, std::string name) {
    return cluster->store().find(kind, namespace_, name);
  }

  void run(Duration duration) { cluster->executor().run_until(cluster->executor().now() + duration); }

  int64_t status_of_web(const control::Key& key) {
    return get(kinds::kDeployments, "default", "web")[keys::kStatus][key].as_int();
  }

  std::unique_ptr<SimulatedCluster> cluster;
};

TEST_F(ClusterTest, BringsADeploymentUp) {
  make(1, 5);
  run(seconds(5));
  apply(kWeb);
  run(seconds(30));
  EXPECT_EQ(status_of_web(keys::kReadyReplicas), 20);
  EXPECT_EQ(status_of_web(keys::kAvailableReplicas), 20);
  EXPECT_EQ(cluster->store().count(kinds::kPods), 20U);
  EXPECT_EQ(cluster->store().count(kinds::kNodes), 5U);
}

TEST_F(ClusterTest, RollsOutANewImageAndKeepsTheOldSetForRollbacks) {
  make(2, 5);
  run(seconds(5));
  apply(kWeb);
  run(seconds(30));
  ApiRequest patch;
  patch.verb = Verb::kPatch;
  patch.kind = kinds::kDeployments;
  patch.namespace_ = "default";
  patch.name = "web";
  patch.patch_type = control::PatchType::kStrategicMerge;
  patch.body = *control::parse_json(
      R"({"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}})");
  ASSERT_TRUE(call(patch));
  run(minutes(3));
  EXPECT_EQ(status_of_web(keys::kUpdatedReplicas), 20);
  EXPECT_EQ(status_of_web(keys::kReplicas), 20);
  EXPECT_EQ(cluster->store().count(kinds::kReplicasets), 2U);
  const auto pods = cluster->store().list(kinds::kPods, "default");
  for (const auto& pod : pods->objects) {
    EXPECT_EQ(pod[keys::kSpec][keys::kContainers].items()[0][keys::kImage].as_string(), "web:2");
  }
}

TEST_F(ClusterTest, ReplacesThePodsOfADeadNode) {
  make(3, 5);
  run(seconds(5));
  apply(kWeb);
  run(seconds(30));
  cluster->crash_node("node-0");
  run(minutes(8));
  EXPECT_EQ(status_of_web(keys::kAvailableReplicas), 20);
  const auto pods = cluster->store().list(kinds::kPods, "default");
  for (const auto& pod : pods->objects) {
    if (control::is_deleting(pod)) continue;
    EXPECT_NE(pod[keys::kSpec][keys::kNodeName].as_string(), "node-0");
  }
}

TEST_F(ClusterTest, CountsTheRestartsThatARebootCaused) {
  make(6, 1);
  run(seconds(5));
  apply(kWeb);
  run(seconds(30));
  cluster->crash_node("node-0");
  run(seconds(10));
  cluster->start_node("node-0");
  run(seconds(60));
  EXPECT_EQ(status_of_web(keys::kAvailableReplicas), 20);
  const auto pods = cluster->store().list(kinds::kPods, "default");
  for (const auto& pod : pods->objects) {
    const Value& container = pod[keys::kStatus][keys::kContainerStatuses].items()[0];
    EXPECT_EQ(container[keys::kRestartCount].as_int(), 1);
  }
}

TEST_F(ClusterTest, WaitsLongerAndLongerForAProgramThatCannotBeRun) {
  ImageBehaviour broken;
  broken.start_error = "exec format error";
  make(5, 1, nullptr, broken);
  run(seconds(5));
  apply(R"(
apiVersion: v1
kind: Pod
metadata: {name: broken, namespace: default}
spec: {containers: [{name: broken, image: "broken:1"}]}
)");
  const auto container = [&] {
    return get(kinds::kPods, "default", "broken")[keys::kStatus][keys::kContainerStatuses].items()[0];
  };
  run(seconds(100));  // tries after 0, 10, 20 and 40 s
  EXPECT_EQ(container()[keys::kRestartCount].as_int(), 4);
  EXPECT_EQ(container()[keys::kState][keys::kWaiting][keys::kReason], Value("CrashLoopBackOff"));
  EXPECT_EQ(container()[keys::kLastState][keys::kTerminated][keys::kReason], Value("StartError"));
  run(minutes(20));  // then 80, 160, and 300 s from there on
  EXPECT_EQ(container()[keys::kRestartCount].as_int(), 9);
}

TEST_F(ClusterTest, DeletesWhatADeploymentOwned) {
  make(4, 3);
  run(seconds(5));
  apply(kWeb);
  run(seconds(30));
  ApiRequest remove;
  remove.verb = Verb::kDelete;
  remove.kind = kinds::kDeployments;
  remove.namespace_ = "default";
  remove.name = "web";
  ASSERT_TRUE(call(remove));
  run(minutes(2));
  EXPECT_EQ(cluster->store().count(kinds::kReplicasets), 0U);
  EXPECT_EQ(cluster->store().count(kinds::kPods), 0U);
}

TEST_F(ClusterTest, OneSeedGivesOneHashAndAnotherSeedAnother) {
  const auto hash = [&](uint64_t seed) {
    Trace trace(control::Schema::builtin());
    make(seed, 3, &trace);
    run(seconds(2));
    apply(kWeb);
    run(seconds(60));
    cluster.reset();
    return trace.hash();
  };
  EXPECT_EQ(hash(7), hash(7));
  EXPECT_NE(hash(7), hash(8));
}

}  // namespace
}  // namespace minik::sim
