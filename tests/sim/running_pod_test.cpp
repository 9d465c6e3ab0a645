// What a running pod is asked to be besides what it began as: looked into by ephemeral containers, given other cpu and
// memory without a restart, with one, or not at all.
#include <gtest/gtest.h>

#include "control/api/api_server.h"
#include "control/api/local_client.h"
#include "control/base/text.h"
#include "control/kubelet/kubelet.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"
#include "sim/simulated_runtime.h"
#include "sim/virtual_executor.h"

namespace minik::sim {
namespace {

using namespace control;

// A machine that remembers what it was told of limits.
class LimitingRuntime : public SimulatedRuntime {
 public:
  using SimulatedRuntime::SimulatedRuntime;
  void update_container(const std::string& id, const ContainerResources& resources, Done<Unit> done) override {
    updates.push_back(cat(resources.cpu_quota_us, "us ", resources.memory_limit_bytes >> 20, "Mi"));
    SimulatedRuntime::update_container(id, resources, std::move(done));
  }
  std::vector<std::string> updates;
};

class RunningPod : public ::testing::Test {
 protected:
  RunningPod() {
    api.bootstrap();
    KubeletConfig config;
    config.node_name = "a";
    config.milli_cpu = 1000;
    config.memory_bytes = int64_t{1} << 30;
    kubelet = std::make_unique<Kubelet>(config, executor, client, runtime, nullptr, Rng(3));
    kubelet->start();
    create(kinds::kServiceaccounts, "{metadata: {name: default}}");
    run(seconds(5));
  }

  void create(KindId kind, std::string_view yaml) {
    const auto documents = parse_yaml(yaml);
    ASSERT_TRUE(documents) << documents.error().message;
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kind;
    request.namespace_ = "default";
    request.body = (*documents)[0].value;
    send(std::move(request));
  }
  void make_pod(const std::string& name, const std::string& cpu, const std::string& policy = "") {
    create(kinds::kPods, cat("{metadata: {name: ", name, "}, spec: {nodeName: a, automountServiceAccountToken: false, containers: "
                             "[{name: main, image: 'web:1', ", policy, "resources: {requests: {cpu: ", cpu,
                             ", memory: 64Mi}, limits: {cpu: 1, memory: 128Mi}}}]}}"));
    run(seconds(10));
  }
  // A strategic merge patch of the pod's only container.
  void patch(const std::string& subresource, const std::string& name, const std::string& spec) {
    ApiRequest request;
    request.verb = Verb::kPatch;
    request.patch_type = PatchType::kStrategicMerge;
    request.kind = kinds::kPods;
    request.namespace_ = "default";
    request.name = name;
    request.subresource = subresource;
    request.body = *parse_json(cat("{\"spec\":", spec, "}"));
    send(std::move(request));
    run(seconds(5));
  }
  void resize(const std::string& name, const std::string& resources) {
    patch("resize", name, cat(R"({"containers":[{"name":"main","resources":)", resources, "}]}"));
  }
  void send(ApiRequest request) {
    client.send(std::move(request), [](const Result<ApiResponse>& result) { EXPECT_TRUE(result) << result.error().message; });
    run(seconds(1));
  }
  void run(Duration duration) { executor.run_until(executor.now() + duration); }
  Value status(const std::string& name) { return store.find(kinds::kPods, "default", name)[keys::kStatus]; }
  Value container(const std::string& name) { return status(name)[keys::kContainerStatuses].items()[0]; }
  std::string pending(const std::string& name) {
    for (const auto& condition : status(name)[keys::kConditions].items()) {
      if (condition[keys::kType].as_string() == "PodResizePending") return condition[keys::kReason].string();
    }
    return "";
  }

  VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  Surroundings surroundings{{ImageBehaviour{}}};
  LimitingRuntime runtime{executor, Rng(2), surroundings, "a", 0x0af40100};
  ApiServer api{executor, store, Schema::builtin(), metrics, Rng(1), {}};
  LocalClient client{executor, api, component_user("system:node:a")};
  std::unique_ptr<Kubelet> kubelet;
};

TEST_F(RunningPod, SaysWhatItsContainersHave) {
  make_pod("web", "100m");
  EXPECT_EQ(to_json(container("web")["allocatedResources"]), R"({"cpu":"100m","memory":"64Mi"})");
  EXPECT_EQ(container("web")[keys::kResources][keys::kLimits][keys::kMemory].string(), "128Mi");
}

TEST_F(RunningPod, IsResizedInPlace) {
  make_pod("web", "100m");
  resize("web", R"({"requests":{"cpu":"200m"},"limits":{"cpu":"500m","memory":"256Mi"}})");
  EXPECT_EQ(runtime.updates, std::vector<std::string>{"50000us 256Mi"});
  EXPECT_EQ(container("web")["allocatedResources"][keys::kCpu].string(), "200m");
  EXPECT_EQ(container("web")[keys::kRestartCount].as_int(), 0);
  EXPECT_EQ(pending("web"), "");
}

TEST_F(RunningPod, IsRestartedWhereItsPolicySaysSo) {
  make_pod("web", "100m", "resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}], ");
  resize("web", R"({"limits":{"memory":"256Mi"}})");
  run(minutes(1));
  EXPECT_TRUE(runtime.updates.empty());
  EXPECT_EQ(container("web")[keys::kRestartCount].as_int(), 1);
  EXPECT_EQ(container("web")[keys::kResources][keys::kLimits][keys::kMemory].string(), "256Mi");
}

TEST_F(RunningPod, WaitsForRoomAndGetsItWhenAnotherLeaves) {
  make_pod("web", "100m");
  make_pod("other", "700m");
  resize("web", R"({"requests":{"cpu":"600m"}})");
  EXPECT_EQ(pending("web"), "Deferred");
  EXPECT_EQ(container("web")["allocatedResources"][keys::kCpu].string(), "100m");
  ApiRequest removal;
  removal.verb = Verb::kDelete;
  removal.kind = kinds::kPods;
  removal.namespace_ = "default";
  removal.name = "other";
  send(std::move(removal));
  run(minutes(2));
  EXPECT_EQ(pending("web"), "");
  EXPECT_EQ(container("web")["allocatedResources"][keys::kCpu].string(), "600m");
}

TEST_F(RunningPod, StaysAsItWasWhereTheNodeNeverHasSoMuch) {
  make_pod("web", "100m");
  resize("web", R"({"requests":{"cpu":"5"},"limits":{"cpu":"5"}})");
  EXPECT_EQ(pending("web"), "Infeasible");
  EXPECT_TRUE(runtime.updates.empty());
  resize("web", R"({"requests":{"cpu":"100m"},"limits":{"cpu":"1"}})");
  EXPECT_EQ(pending("web"), "");
}

TEST_F(RunningPod, IsLookedIntoByAContainerThatComesOnce) {
  make_pod("web", "100m");
  patch("ephemeralcontainers", "web", R"({"ephemeralContainers":[{"name":"looker","image":"tools:1","targetContainerName":"main"}]})");
  const auto looker = [&] { return status("web")["ephemeralContainerStatuses"].items()[0]; };
  ASSERT_EQ(status("web")["ephemeralContainerStatuses"].size(), 1U);
  EXPECT_TRUE(looker()[keys::kState]["running"].is_map()) << to_json(looker());
  const auto id = looker()[keys::kContainerID].string();
  ASSERT_TRUE(runtime.crash_container(id.substr(id.find("//") + 2), 3));
  run(minutes(10));
  EXPECT_EQ(looker()[keys::kState]["terminated"][keys::kExitCode].as_int(), 3);
  EXPECT_EQ(looker()[keys::kRestartCount].as_int(), 0);
  EXPECT_EQ(status("web")[keys::kPhase].string(), "Running");
}

}  // namespace
}  // namespace minik::sim
