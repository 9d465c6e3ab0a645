// What a pod sees of the API while it runs: ConfigMaps as they change, tokens before they end.
#include <gtest/gtest.h>

#include "control/api/api_server.h"
#include "control/api/local_client.h"
#include "control/base/text.h"
#include "control/kubelet/kubelet.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"
#include "sim/simulated_runtime.h"
#include "sim/virtual_executor.h"

namespace minik::sim {
namespace {

using namespace control;

// A machine that remembers what its volumes hold.
class RememberingRuntime : public SimulatedRuntime {
 public:
  using SimulatedRuntime::SimulatedRuntime;
  void write_volume(const std::string& directory, std::map<std::string, VolumeFile> files,
                    std::optional<int64_t> fs_group, Done<Unit> done) override {
    const std::string volume = directory.substr(directory.rfind('/') + 1);
    for (const auto& [path, file] : files) now[volume][path] = file.content;
    ++writes[volume];
    SimulatedRuntime::write_volume(directory, std::move(files), fs_group, std::move(done));
  }
  std::map<std::string, std::map<std::string, std::string>> now;
  std::map<std::string, int> writes;
};

class LiveVolumes : public ::testing::Test {
 protected:
  LiveVolumes() {
    ApiServerOptions options;
    options.issue_token = [this](const TokenOrder&) -> Result<std::string> {
      return cat("token-", ++tokens);
    };
    api = std::make_unique<ApiServer>(executor, store, Schema::builtin(), metrics, Rng(1),
                                      std::move(options));
    api->bootstrap();
    client = std::make_unique<LocalClient>(executor, *api, component_user("system:node:a"));
    KubeletConfig config;
    config.node_name = "a";
    kubelet = std::make_unique<Kubelet>(config, executor, *client, runtime, nullptr, Rng(3));
    kubelet->start();
    add(R"(
{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: settings, namespace: default}, data: {color: red}}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default}
spec:
  nodeName: a
  automountServiceAccountToken: false
  containers: [{name: main, image: "web:1"}]
  volumes:
  - {name: settings, configMap: {name: settings}}
  - {name: token, projected: {sources: [{serviceAccountToken: {path: token, expirationSeconds: 3600}}]}}
)");
    run(seconds(30));
  }

  void add(std::string_view yaml) {
    const auto documents = parse_yaml(yaml);
    ASSERT_TRUE(documents) << documents.error().message;
    for (const auto& document : *documents) {
      ApiRequest request;
      request.verb = Verb::kCreate;
      request.kind = Schema::builtin()
                         .find_kind(document.value[keys::kApiVersion].as_string(),
                                    document.value[keys::kKind].as_string())
                         ->id;
      request.namespace_ = object_namespace(document.value);
      request.body = document.value;
      client->send(std::move(request), [](const Result<ApiResponse>& result) {
        EXPECT_TRUE(result) << result.error().message;
      });
      run(seconds(1));
    }
  }
  void run(Duration duration) { executor.run_until(executor.now() + duration); }

  VirtualExecutor executor{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics;
  MemoryLog log;
  Store store{log, [](const Error& error) { CHECK(false) << error.message; }};
  int tokens = 0;
  Surroundings surroundings{{ImageBehaviour{}}};
  RememberingRuntime runtime{executor, Rng(2), surroundings, "a", 0x0af40100};
  std::unique_ptr<ApiServer> api;
  std::unique_ptr<LocalClient> client;
  std::unique_ptr<Kubelet> kubelet;
};

TEST_F(LiveVolumes, ATokenIsRenewedBeforeItEnds) {
  EXPECT_EQ(runtime.now["token"]["token"], "token-1");
  run(minutes(47));
  EXPECT_EQ(runtime.now["token"]["token"], "token-1");
  run(minutes(3));
  EXPECT_EQ(runtime.now["token"]["token"], "token-2") << "after four fifths of an hour";
  run(minutes(50));
  EXPECT_EQ(runtime.now["token"]["token"], "token-3");
  EXPECT_EQ(runtime.writes["settings"], 1) << "what did not change is not written";
}

TEST_F(LiveVolumes, AChangedConfigMapIsWrittenAndNothingElse) {
  const Value settings = store.find(kinds::kConfigmaps, "default", "settings");
  EXPECT_EQ(runtime.now["settings"]["color"], "red");
  kubelet->on_reference(kinds::kConfigmaps,
                        settings.with_at({keys::kData, Key("color")}, Value("blue")));
  run(seconds(1));
  EXPECT_EQ(runtime.now["settings"]["color"], "blue");
  kubelet->on_reference(kinds::kConfigmaps,
                        settings.with_at({keys::kMetadata, keys::kNamespace}, Value("other")));
  run(seconds(1));
  EXPECT_EQ(runtime.writes["settings"], 2);
  EXPECT_EQ(runtime.writes["token"], 1);
}

}  // namespace
}  // namespace minik::sim
