// What a running pod is asked to be besides what it began as: looked into by ephemeral containers, given other cpu and
// memory without a restart, with one, or not at all.
#include <algorithm>

#include "tests/sim/one_node.h"

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
  void run_pod_sandbox(PodSandboxConfig config, Done<PodSandboxStatus> done) override {
    sandboxes.push_back(cat(config.cpu_shares, " ", config.cpu_quota_us, "us ", config.memory_limit_bytes >> 20, "Mi"));
    hostnames.push_back(config.shown_hostname());
    SimulatedRuntime::run_pod_sandbox(std::move(config), std::move(done));
  }
  void create_container(const std::string& sandbox, ContainerConfig config, Done<std::string> done) override {
    containers.push_back(cat(config.resources.cpu_quota_us, "us ", config.resources.memory_limit_bytes >> 20, "Mi"));
    SimulatedRuntime::create_container(sandbox, std::move(config), std::move(done));
  }
  std::vector<std::string> updates, sandboxes, containers, hostnames;
};

class RunningPod : public OneNode<LimitingRuntime> {
 protected:
  RunningPod() {
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    run(seconds(5));
  }

  void make_pod(const std::string& name, const std::string& cpu, const std::string& policy = "") {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: ", name, ", namespace: default}, spec: {nodeName: a, ",
            "automountServiceAccountToken: false, containers: [{name: main, image: 'web:1', ", policy,
            "resources: {requests: {cpu: ", cpu, ", memory: 64Mi}, limits: {cpu: 1, memory: 128Mi}}}]}}"));
    run(seconds(10));
  }
  // Of the pod's only container.
  void patch_spec(const std::string& subresource, const std::string& name, const std::string& spec) {
    const auto result =
        patch(kinds::kPods, "default", name, cat("{\"spec\":", spec, "}"), subresource, PatchType::kStrategicMerge);
    EXPECT_TRUE(result) << result.error().message;
    run(seconds(5));
  }
  void resize(const std::string& name, const std::string& resources) {
    patch_spec("resize", name, cat(R"({"containers":[{"name":"main","resources":)", resources, "}]}"));
  }
  Value status(const std::string& name) { return store.find(kinds::kPods, "default", name)[keys::kStatus]; }
  Value container(const std::string& name) { return container(name, 0); }
  Value container(const std::string& name, size_t i) { return status(name)[keys::kContainerStatuses].items()[i]; }
  int64_t restarts(const std::string& name, size_t i = 0) { return container(name, i)[keys::kRestartCount].as_int(); }
  void crash(const std::string& name, int exit_code, size_t i = 0) {
    const auto id = container(name, i)[keys::kContainerID].string();
    ASSERT_TRUE(runtime.crash_container(id.substr(id.find("//") + 2), exit_code));
    run(seconds(3));
  }
  // A pod whose containers are as the text says.
  void make_pod_of(const std::string& spec) {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, ",
            spec, "}}"));
    run(seconds(10));
  }
  std::string pending(const std::string& name) {
    for (const auto& condition : status(name)[keys::kConditions].items()) {
      if (condition[keys::kType].as_string() == "PodResizePending") return condition[keys::kReason].string();
    }
    return "";
  }
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

TEST_F(RunningPod, HasItsSidecarsResizedInPlace) {
  add("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, "
      "initContainers: [{name: proxy, image: 'web:1', restartPolicy: Always, resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {cpu: 1}}}], "
      "containers: [{name: main, image: 'web:1', resources: {requests: {cpu: 100m}}}]}}");
  run(seconds(10));
  patch_spec("resize", "web", R"({"initContainers":[{"name":"proxy","resources":{"requests":{"cpu":"200m"},"limits":{"cpu":"500m"}}}]})");
  EXPECT_EQ(runtime.updates, std::vector<std::string>{"50000us 0Mi"});
  const Value proxy = status("web")["initContainerStatuses"].items()[0];
  EXPECT_EQ(proxy["allocatedResources"][keys::kCpu].string(), "200m");
  EXPECT_EQ(proxy[keys::kRestartCount].as_int(), 0);
}

TEST_F(RunningPod, HasTheLimitsThatItIsGivenAsAWhole) {
  add("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, "
      "resources: {requests: {cpu: 250m}, limits: {cpu: 500m, memory: 256Mi}}, containers: [{name: main, image: 'web:1'}, {name: side, image: 'web:1', resources: {limits: {memory: 64Mi}}}]}}");
  run(seconds(10));
  EXPECT_EQ(runtime.sandboxes, std::vector<std::string>{"256 50000us 256Mi"});
  EXPECT_EQ(runtime.containers, (std::vector<std::string>{"50000us 256Mi", "50000us 64Mi"}));
  EXPECT_EQ(status("web")["qosClass"].string(), "Burstable");
  make_pod("other", "100m");
  EXPECT_EQ(runtime.sandboxes.back(), "102 0us 0Mi");
  add("{apiVersion: v1, kind: Pod, metadata: {name: any, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, "
      "containers: [{name: main, image: 'web:1'}]}}");
  run(seconds(10));
  EXPECT_EQ(runtime.sandboxes.back(), "2 0us 0Mi") << "what asks for nothing has the least";
}

TEST(QosClass, IsThatOfThePodAsAWholeWhateverItNames) {
  const auto of = [](const std::string& resources) {
    const auto spec = parse_yaml(cat("resources: ", resources, "\ncontainers: [{name: a, resources: {limits: {cpu: 1, memory: 1Gi}}}]\n"));
    return qos_class((*spec)[0].value);
  };
  EXPECT_EQ(of("{limits: {hugepages-2Mi: 2Mi}}"), "BestEffort");
  EXPECT_EQ(of("{limits: {cpu: 1}}"), "Burstable");
  EXPECT_EQ(of("null"), "Guaranteed");
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
  remove(kinds::kPods, "default", "other");
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

TEST_F(RunningPod, IsRestartedContainerByContainerAsEachIsDue) {
  make_pod_of("containers: [{name: early, image: 'web:1'}, {name: late, image: 'web:1'}]");
  crash("web", 1, 1);  // back at once
  crash("web", 1, 1);  // after 10 s
  run(seconds(10));
  ASSERT_EQ(restarts("web", 1), 2);
  crash("web", 1, 0);
  crash("web", 1, 0);  // after 10 s, of which three are over
  crash("web", 1, 1);  // after 20 s
  run(seconds(6));
  EXPECT_EQ(restarts("web", 0), 2) << "it does not wait for the other";
  EXPECT_EQ(restarts("web", 1), 2);
  run(seconds(15));
  EXPECT_EQ(restarts("web", 1), 3);
}

TEST_F(RunningPod, IsMadeAnewFromAnotherImageWhateverItsRestartPolicy) {
  make_pod_of("restartPolicy: Never, containers: [{name: main, image: 'web:1'}]");
  std::vector<std::string> phases;
  const auto told = store.watch(kinds::kPods, store.revision(), {}, [&](const StoreEvent& event) {
    phases.push_back(event.object[keys::kStatus][keys::kPhase].string());
  });
  ASSERT_TRUE(told);
  patch_spec("", "web", R"({"containers":[{"name":"main","image":"web:2"}]})");
  store.unwatch(*told);
  EXPECT_EQ(restarts("web"), 1);
  EXPECT_EQ(container("web")[keys::kImage].string(), "web:2");
  EXPECT_EQ(messages_of("Killing"), std::vector<std::string>{"Container main definition changed, will be restarted"});
  EXPECT_EQ(std::ranges::count(phases, "Running"), std::ssize(phases)) << "it has not ended";
  crash("web", 0);
  EXPECT_EQ(status("web")[keys::kPhase].string(), "Succeeded");
}

TEST_F(RunningPod, DoesNotWaitWithAnImageForTheFailuresOfTheOneBefore) {
  ImageBehaviour wrong;
  wrong.match = "wrong:*";
  wrong.missing = true;
  surroundings.images.insert(surroundings.images.begin(), wrong);
  surroundings.loads.emplace_back();
  make_pod_of("containers: [{name: main, image: 'wrong:1'}]");
  run(minutes(10));
  ASSERT_EQ(container("web")[keys::kState]["waiting"]["reason"].string(), "ImagePullBackOff");
  patch_spec("", "web", R"({"containers":[{"name":"main","image":"web:1"}]})");
  EXPECT_EQ(status("web")[keys::kPhase].string(), "Running");
}

TEST_F(RunningPod, AsksTheRulesOfAContainerBeforeItsPolicyAndThatBeforeThePods) {
  make_pod_of("restartPolicy: Never, containers: [{name: main, image: 'web:1', restartPolicy: Never, "
              "restartPolicyRules: [{action: Restart, exitCodes: {operator: In, values: [42]}}]}, "
              "{name: side, image: 'web:1', restartPolicy: OnFailure}]");
  crash("web", 42, 0);
  crash("web", 1, 1);
  EXPECT_EQ(restarts("web", 0), 1);
  EXPECT_EQ(restarts("web", 1), 1);
  EXPECT_EQ(status("web")[keys::kPhase].string(), "Running");
  crash("web", 0, 1);
  crash("web", 7, 0);
  EXPECT_EQ(restarts("web", 0), 1);
  EXPECT_EQ(status("web")[keys::kPhase].string(), "Failed");
}

TEST_F(RunningPod, EndsAtADeadlineThatWasDrawnNearer) {
  make_pod_of("activeDeadlineSeconds: 3600, containers: [{name: main, image: 'web:1'}]");
  patch_spec("", "web", R"({"activeDeadlineSeconds":30})");
  run(seconds(30));
  EXPECT_EQ(status("web")["reason"].string(), "DeadlineExceeded");
}

TEST_F(RunningPod, GoesByItsFullNameWhereItSaysSo) {
  make_pod_of("hostname: one, subdomain: shop, setHostnameAsFQDN: true, containers: [{name: main, image: 'web:1'}]");
  EXPECT_EQ(runtime.hostnames, std::vector<std::string>{"one.shop.default.svc.cluster.local"});
}

TEST_F(RunningPod, DoesNotBeginUnderAFullNameThatIsTooLong) {
  make_pod_of("hostname: one, subdomain: a-shop-with-a-name-that-nobody-will-remember, setHostnameAsFQDN: true, "
              "containers: [{name: main, image: 'web:1'}]");
  EXPECT_TRUE(runtime.hostnames.empty());
  EXPECT_EQ(messages_of("FailedCreatePodSandBox"),
            std::vector<std::string>{"Failed to create pod sandbox: failed to construct FQDN from pod hostname and cluster domain, FQDN "
                                     "one.a-shop-with-a-name-that-nobody-will-remember.default.svc.cluster.local is too long (64 characters is "
                                     "the max, 74 characters requested)"});
}

// A machine that is so busy that a container has ended before it is said to have started.
class LateRuntime : public SimulatedRuntime {
 public:
  using SimulatedRuntime::SimulatedRuntime;
  void start_container(const std::string& id, Done<control::ContainerStatus> done) override {
    SimulatedRuntime::start_container(id, [this, id, done = std::move(done)](Result<control::ContainerStatus> started) {
      crash_container(id, 0);
      held.emplace_back([done, started = std::move(started)] { done(started); });
    });
  }
  std::vector<std::function<void()>> held;
};

class BusyNode : public OneNode<LateRuntime> {};

TEST_F(BusyNode, TellsOfAContainerThatEndedBeforeItsStartWasAnswered) {
  add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
  run(seconds(5));
  add("{apiVersion: v1, kind: Pod, metadata: {name: short, namespace: default}, spec: {nodeName: a, restartPolicy: Never, "
      "automountServiceAccountToken: false, containers: [{name: main, image: 'web:1'}]}}");
  run(seconds(10));
  ASSERT_EQ(runtime.held.size(), 1U);
  runtime.held[0]();
  run(seconds(10));
  EXPECT_EQ(store.find(kinds::kPods, "default", "short")[keys::kStatus][keys::kPhase].string(), "Succeeded");
}

// Whoever routes to it must hear of it, however soon it comes back.
TEST_F(RunningPod, IsNotReadyWhileItsContainerComesBack) {
  make_pod("web", "100m");
  std::vector<std::string> ready;
  const auto told = store.watch(kinds::kPods, store.revision(), {}, [&](const StoreEvent& event) {
    for (const auto& condition : event.object[keys::kStatus][keys::kConditions].items()) {
      if (condition[keys::kType].as_string() == "Ready") ready.push_back(condition[keys::kStatus].string());
    }
  });
  ASSERT_TRUE(told);
  const auto id = container("web")[keys::kContainerID].string();
  ASSERT_TRUE(runtime.crash_container(id.substr(id.find("//") + 2), 3));
  run(minutes(1));
  store.unwatch(*told);
  EXPECT_EQ(container("web")[keys::kRestartCount].as_int(), 1);
  ASSERT_GE(ready.size(), 2U);
  EXPECT_EQ(ready.front(), "False");
  EXPECT_EQ(ready.back(), "True");
}

TEST_F(RunningPod, IsLookedIntoByAContainerThatComesOnce) {
  make_pod("web", "100m");
  patch_spec("ephemeralcontainers", "web", R"({"ephemeralContainers":[{"name":"looker","image":"tools:1","targetContainerName":"main"}]})");
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
