// What a node agent makes of what others write into the status of its Node.
#include <gtest/gtest.h>

#include "control/api/api_server.h"
#include "control/api/local_client.h"
#include "control/kubelet/kubelet.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"
#include "sim/simulated_runtime.h"
#include "sim/virtual_executor.h"

namespace minik::sim {
namespace {

using namespace control;

class OwnNode : public ::testing::Test {
 protected:
  OwnNode() {
    api.bootstrap();
    KubeletConfig config;
    config.node_name = "a";
    config.milli_cpu = 1000;
    config.memory_bytes = int64_t{1} << 30;
    kubelet = std::make_unique<Kubelet>(config, executor, client, runtime, nullptr, Rng(3));
    kubelet->start();
    run(minutes(1));
  }

  void run(Duration duration) { executor.run_until(executor.now() + duration); }
  // A strategic merge patch, as kubectl patch --subresource=status sends it.
  void patch_status(std::string_view status) {
    ApiRequest request;
    request.verb = Verb::kPatch;
    request.patch_type = PatchType::kStrategicMerge;
    request.kind = kinds::kNodes;
    request.name = "a";
    request.subresource = "status";
    request.body = *parse_json(cat(R"({"status":)", status, "}"));
    client.send(std::move(request), [](const Result<ApiResponse>& result) { EXPECT_TRUE(result) << result.error().message; });
    run(milliseconds(1));
  }
  Value node() { return store.find(kinds::kNodes, "", "a"); }
  std::string condition(std::string_view type) {
    for (const auto& c : node()[keys::kStatus][keys::kConditions].items()) {
      if (c[keys::kType].as_string() == type) return cat(c[keys::kStatus].as_string(), " ", c[keys::kReason].as_string());
    }
    return "";
  }

  VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  Surroundings surroundings{{ImageBehaviour{}}};
  SimulatedRuntime runtime{executor, Rng(2), surroundings, "a", 0x0af40100};
  ApiServer api{executor, store, Schema::builtin(), metrics, Rng(1), {}};
  LocalClient client{executor, api, component_user("system:node:a")};
  std::unique_ptr<Kubelet> kubelet;
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
