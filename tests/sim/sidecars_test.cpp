// Sidecars (init containers that are restarted always) beside the main containers: how they count, come back and go.
#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

// A machine that remembers whom it was told to stop, and when.
class StoppingRuntime : public SimulatedRuntime {
 public:
  using SimulatedRuntime::SimulatedRuntime;
  struct Told {
    std::string id;
    Instant at;
    Duration grace;
  };
  void stop_container(const std::string& id, Duration grace, Done<Unit> done) override {
    told.push_back({id, now(), grace});
    SimulatedRuntime::stop_container(id, grace, std::move(done));
  }
  std::function<Instant()> now;
  std::vector<Told> told;
};

class Sidecars : public OneNode<StoppingRuntime> {
 protected:
  Sidecars() {
    runtime.now = [this] { return executor.now(); };
    ImageBehaviour slow;
    slow.match = "slow:*";
    slow.stop = Distribution{seconds(4), seconds(4)};
    ImageBehaviour deaf;
    deaf.match = "deaf:*";
    deaf.ignores_sigterm = true;
    surroundings.images = {slow, deaf, ImageBehaviour{}};
    surroundings.loads.resize(3);
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    run(seconds(5));
  }
  void make_pod(std::string_view image, std::string_view probe = "") {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, "
            "terminationGracePeriodSeconds: 20, initContainers: [{name: proxy, image: 'slow:1', restartPolicy: Always", probe,
            "}, {name: logs, image: 'slow:1', restartPolicy: Always}], containers: [{name: main, image: '", image, "'}]}}"));
    run(seconds(20));
  }
  Value status() { return store.find(kinds::kPods, "default", "web")[keys::kStatus]; }
  Value condition(std::string_view type) {
    for (const auto& c : status()[keys::kConditions].items()) {
      if (c[keys::kType].as_string() == type) return c;
    }
    return {};
  }
  Value container(std::string_view name) {
    for (const auto& list : {keys::kContainerStatuses, keys::kInitContainerStatuses}) {
      for (const auto& c : status()[list].items()) {
        if (c[keys::kName].as_string() == name) return c;
      }
    }
    return {};
  }
  std::string id(std::string_view name) {
    const auto text = container(name)[keys::kContainerID].string();
    return text.substr(text.find("//") + 2);
  }
  void crash(std::string_view name) {
    ASSERT_TRUE(runtime.crash_container(id(name), 1)) << name;
    run(seconds(2));
  }
};

TEST_F(Sidecars, GoAfterTheMainContainersAndInReverseOrder) {
  make_pod("slow:1");
  const std::vector<std::string> order = {id("main"), id("logs"), id("proxy")};
  remove(kinds::kPods, "default", "web");
  run(seconds(30));
  ASSERT_EQ(runtime.told.size(), 3U);
  for (size_t i = 0; i < order.size(); ++i) EXPECT_EQ(runtime.told[i].id, order[i]) << i;
  EXPECT_EQ((runtime.told[1].at - runtime.told[0].at).ns / seconds(1).ns, 4) << "when the one before has ended";
  EXPECT_EQ((runtime.told[2].at - runtime.told[0].at).ns / seconds(1).ns, 8);
  EXPECT_LE(runtime.told[2].grace.ns, seconds(12).ns) << "what is left of the pod's";
  EXPECT_TRUE(store.find(kinds::kPods, "default", "web").is_absent());
}

TEST_F(Sidecars, GoAtTheEndOfTheGraceWhenTheMainContainersDoNot) {
  make_pod("deaf:1");
  const Instant begun = executor.now();
  remove(kinds::kPods, "default", "web");
  run(seconds(30));
  ASSERT_EQ(runtime.told.size(), 3U);
  EXPECT_EQ(runtime.told[0].at.ns, begun.ns);
  EXPECT_EQ((runtime.told[2].at - begun).ns, seconds(20).ns);
  EXPECT_EQ(runtime.told[2].grace.ns, seconds(2).ns);
}

TEST_F(Sidecars, ThatCrashDoNotHoldUpTheMainContainers) {
  make_pod("web:1");
  crash("proxy");
  crash("proxy");
  ASSERT_EQ(container("proxy")[keys::kState]["waiting"]["reason"].string(), "CrashLoopBackOff");
  EXPECT_EQ(condition("Initialized")[keys::kStatus].string(), "True");
  crash("main");
  EXPECT_EQ(container("main")[keys::kRestartCount].as_int(), 1);
  EXPECT_TRUE(container("main")[keys::kState]["running"].is_map()) << to_json(container("main"));
  run(seconds(20));
  EXPECT_EQ(container("proxy")[keys::kRestartCount].as_int(), 2);
  EXPECT_TRUE(container("proxy")[keys::kState]["running"].is_map());
}

TEST_F(Sidecars, ThatAreNotReadyKeepThePodFromBeingReady) {
  make_pod("web:1", ", readinessProbe: {tcpSocket: {port: 80}, periodSeconds: 1}");
  EXPECT_EQ(condition("Ready")[keys::kStatus].string(), "True");
  runtime.set_probes_fail(store.find(kinds::kPods, "default", "web")[keys::kMetadata][keys::kUid].string(), true);
  run(seconds(10));
  EXPECT_EQ(condition("Ready")[keys::kStatus].string(), "False");
  EXPECT_EQ(condition("Ready")["message"].string(), "containers with unready status: [proxy]");
}

}  // namespace
}  // namespace minik::sim
