// What a pod sees of the API while it runs: ConfigMaps as they change, tokens before they end.
#include "tests/sim/one_node.h"

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
    if (failures > 0) {
      --failures;
      SimulatedRuntime::write_volume(directory, {}, fs_group, [done](const Result<Unit>&) { done(Error(ErrorCode::kUnknown, "no space left")); });
      return;
    }
    now[volume].clear();
    for (const auto& [path, file] : files) now[volume][path] = file.content;
    ++writes[volume];
    SimulatedRuntime::write_volume(directory, std::move(files), fs_group, std::move(done));
  }
  void check_host_path(HostPath wanted, Done<Unit> done) override {
    asked.push_back(cat(wanted.type, " ", wanted.path));
    if (unfit.empty()) return SimulatedRuntime::check_host_path(std::move(wanted), std::move(done));
    SimulatedRuntime::check_host_path(std::move(wanted), [done, why = unfit](const Result<Unit>&) { done(Error(ErrorCode::kInvalid, why)); });
  }
  std::vector<std::string> asked;
  std::string unfit;  // why no path is as its volume wants it
  std::map<std::string, std::map<std::string, std::string>> now;
  std::map<std::string, int> writes;
  int failures = 0;  // so many writes go wrong
};

class LiveVolumes : public OneNode<RememberingRuntime> {
 protected:
  LiveVolumes() : OneNode(options()) {
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

  static ApiServerOptions options() {
    ApiServerOptions options;
    options.issue_token = [tokens = 0](const TokenOrder&) mutable -> Result<std::string> { return cat("token-", ++tokens); };
    return options;
  }
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

TEST_F(LiveVolumes, AnOptionalConfigMapThatGoesLeavesAnEmptyVolume) {
  add(R"(
apiVersion: v1
kind: Pod
metadata: {name: lenient, namespace: default}
spec:
  nodeName: a
  automountServiceAccountToken: false
  containers: [{name: main, image: "web:1"}]
  volumes: [{name: always, configMap: {name: settings}}, {name: perhaps, configMap: {name: settings, optional: true}}]
)");
  run(seconds(10));
  ASSERT_EQ(runtime.now["perhaps"]["color"], "red");
  const Value settings = store.find(kinds::kConfigmaps, "default", "settings");
  kubelet->on_reference(kinds::kConfigmaps, settings, Value());
  run(seconds(1));
  EXPECT_TRUE(runtime.now["perhaps"].empty());
  EXPECT_EQ(runtime.now["always"]["color"], "red") << "what cannot do without it keeps what it has";
  kubelet->on_reference(kinds::kConfigmaps, Value(), settings);
  run(seconds(1));
  EXPECT_EQ(runtime.now["perhaps"]["color"], "red");
}

TEST_F(LiveVolumes, AChangedConfigMapIsWrittenAndNothingElse) {
  const Value settings = store.find(kinds::kConfigmaps, "default", "settings");
  EXPECT_EQ(runtime.now["settings"]["color"], "red");
  kubelet->on_reference(kinds::kConfigmaps, settings,
                        settings.with_at({keys::kData, Key("color")}, Value("blue")));
  run(seconds(1));
  EXPECT_EQ(runtime.now["settings"]["color"], "blue");
  kubelet->on_reference(kinds::kConfigmaps, settings,
                        settings.with_at({keys::kMetadata, keys::kNamespace}, Value("other")));
  run(seconds(1));
  EXPECT_EQ(runtime.writes["settings"], 2);
  EXPECT_EQ(runtime.writes["token"], 1);
}

TEST_F(LiveVolumes, LabelsAndAnnotationsAreWrittenAsTheyChange) {
  add(R"(
apiVersion: v1
kind: Pod
metadata: {name: seer, namespace: default, labels: {color: red}}
spec:
  nodeName: a
  automountServiceAccountToken: false
  containers: [{name: main, image: "web:1"}]
  volumes:
  - {name: self, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - {name: part, projected: {sources: [{downwardAPI: {items: [{path: team, fieldRef: {fieldPath: "metadata.annotations['team']"}}]}}]}}
)");
  run(seconds(30));
  EXPECT_EQ(runtime.now["self"]["labels"], R"(color="red")");
  ASSERT_TRUE(patch(kinds::kPods, "default", "seer", R"({"metadata":{"labels":{"color":"blue"},"annotations":{"team":"two"}}})"));
  run(seconds(1));
  EXPECT_EQ(runtime.now["self"]["labels"], R"(color="blue")");
  EXPECT_EQ(runtime.now["part"]["team"], "two");
  EXPECT_EQ(runtime.writes["settings"], 1);
}

constexpr std::string_view kCautious = R"(
apiVersion: v1
kind: Pod
metadata: {name: cautious, namespace: default}
spec:
  nodeName: a
  automountServiceAccountToken: false
  containers: [{name: main, image: "web:1"}]
  volumes: [{name: maybe, configMap: {name: settings, optional: true}}]
)";

TEST_F(LiveVolumes, WhatIsOptionalIsNotLeftOutBecauseTheApiDidNotAnswer) {
  int refused = 0;
  agent.refuse = [&](const ApiRequest& request) -> std::optional<Error> {
    if (request.kind != kinds::kConfigmaps || ++refused > 2) return std::nullopt;
    return Error(ErrorCode::kServiceUnavailable, "the API server is busy");
  };
  add(kCautious);
  run(seconds(30));
  EXPECT_EQ(runtime.now["maybe"]["color"], "red");
  EXPECT_EQ(store.find(kinds::kPods, "default", "cautious")[keys::kStatus][keys::kPhase].string(), "Running");
}

TEST_F(LiveVolumes, ContainersWaitForAVolumeThatCouldNotBeWritten) {
  runtime.failures = 2;
  add(kCautious);
  run(seconds(1));
  EXPECT_EQ(store.find(kinds::kPods, "default", "cautious")[keys::kStatus][keys::kPhase].string(), "Pending");
  run(seconds(30));
  EXPECT_EQ(runtime.now["maybe"]["color"], "red");
  EXPECT_EQ(store.find(kinds::kPods, "default", "cautious")[keys::kStatus][keys::kPhase].string(), "Running");
}

// After half a second, one, two, four…
TEST_F(LiveVolumes, APathOfTheWrongTypeKeepsThePodWaiting) {
  runtime.unfit = "hostPath type check failed: /x is not a directory";
  add(R"(
apiVersion: v1
kind: Pod
metadata: {name: wrong, namespace: default}
spec:
  nodeName: a
  automountServiceAccountToken: false
  containers: [{name: main, image: "web:1"}]
  volumes: [{name: v, hostPath: {path: /x, type: Directory}}, {name: any, hostPath: {path: /y}}]
)");
  run(seconds(7));
  EXPECT_EQ(runtime.asked, std::vector<std::string>(4, "Directory /x"));
  const Value pod = store.find(kinds::kPods, "default", "wrong");
  EXPECT_EQ(pod[keys::kStatus][keys::kContainerStatuses].items()[0][keys::kState][keys::kWaiting][keys::kReason].string(), "ContainerCreating");
  EXPECT_EQ(messages_of("FailedMount"),
            std::vector<std::string>{"MountVolume.SetUp failed for volume \"v\" : hostPath type check failed: /x is not a directory"});
  runtime.unfit.clear();
  run(seconds(30));
  EXPECT_EQ(store.find(kinds::kPods, "default", "wrong")[keys::kStatus][keys::kPhase].string(), "Running");
}

TEST_F(LiveVolumes, ALocalVolumeMustBeThere) {
  runtime.unfit = "path \"/disk\" does not exist";
  add(R"(
apiVersion: v1
kind: PersistentVolume
metadata: {name: disk}
spec:
  accessModes: [ReadWriteOnce]
  capacity: {storage: 1Gi}
  storageClassName: manual
  local: {path: /disk}
  claimRef: {name: data, namespace: default}
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: Exists}]}]}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default}
spec: {accessModes: [ReadWriteOnce], storageClassName: manual, volumeName: disk, resources: {requests: {storage: 1Gi}}}
)");
  const std::string uid(object_uid(store.find(kinds::kPersistentvolumeclaims, "default", "data")));
  ASSERT_TRUE(patch(kinds::kPersistentvolumes, "", "disk", cat(R"({"spec":{"claimRef":{"uid":")", uid, R"("}}})")));
  ASSERT_TRUE(patch(kinds::kPersistentvolumeclaims, "default", "data",
                    R"({"metadata":{"annotations":{"pv.kubernetes.io/bind-completed":"yes"}}})"));
  add(R"(
apiVersion: v1
kind: Pod
metadata: {name: user, namespace: default}
spec:
  nodeName: a
  automountServiceAccountToken: false
  containers: [{name: main, image: "web:1"}]
  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]
)");
  EXPECT_EQ(messages_of("FailedMount"),
            std::vector<std::string>{"MountVolume.NewMounter initialization failed for volume \"disk\" : path \"/disk\" does not exist"});
}

}  // namespace
}  // namespace minik::sim
