// Which pods a node agent lets in that name its node themselves, past the scheduler.
#include "tests/sim/one_node.h"

namespace minik::sim {
namespace {

using namespace control;

// One CPU, 1 GiB.
class NodeAdmission : public OneNode<> {
 protected:
  NodeAdmission() {
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
    run(seconds(5));
  }
  void make_pod(const std::string& name, const std::string& container, const std::string& more = "") {
    add(cat("{apiVersion: v1, kind: Pod, metadata: {name: ", name, ", namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, ",
            more, "containers: [{name: main, image: 'web:1', ", container, "}]}}"));
    run(seconds(10));
  }
  // Its phase, and why.
  std::string end_of(const std::string& name) {
    const Value status = store.find(kinds::kPods, "default", name)[keys::kStatus];
    const std::string phase = status[keys::kPhase].string();
    return phase == "Failed" ? cat(status["reason"].as_string(), ": ", status["message"].as_string()) : phase;
  }
};

TEST_F(NodeAdmission, TurnsAwayWhatTheNodeHasNoRoomFor) {
  make_pod("huge", "resources: {requests: {cpu: 1000}}");
  EXPECT_EQ(end_of("huge"), "OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu, requested: 1000000, used: 0, capacity: 1000");
  make_pod("first", "resources: {requests: {cpu: 600m, memory: 600Mi}}");
  make_pod("second", "resources: {requests: {cpu: 300m, memory: 600Mi}}");
  EXPECT_EQ(end_of("first"), "Running") << "who was turned away takes no room";
  EXPECT_EQ(end_of("second"), "OutOfmemory: Pod was rejected: Node didn't have enough resource: memory, requested: 629145600, used: 629145600, "
                              "capacity: 1073741824");
  EXPECT_TRUE(store.find(kinds::kPods, "default", "second")[keys::kStatus][keys::kContainerStatuses].empty());
  remove(kinds::kPods, "default", "first");
  run(minutes(1));
  make_pod("third", "resources: {requests: {cpu: 600m, memory: 600Mi}}");
  EXPECT_EQ(end_of("third"), "Running");
}

TEST_F(NodeAdmission, TurnsAwayKernelParametersThatReachOutOfThePod) {
  const auto with = [](std::string_view name) { return cat("securityContext: {sysctls: [{name: ", name, ", value: '1'}]}, "); };
  make_pod("unsafe", "", with("kernel.msgmax"));
  EXPECT_EQ(end_of("unsafe"), "SysctlForbidden: Pod was rejected: forbidden sysctl: \"kernel.msgmax\" not allowlisted");
  make_pod("safe", "", with("net.ipv4.tcp_syncookies"));
  EXPECT_EQ(end_of("safe"), "Running");
  make_pod("slashes", "", with("net/ipv4/tcp_syncookies"));
  EXPECT_EQ(end_of("slashes"), "Running");
}

TEST_F(NodeAdmission, TurnsAwayPodsOfAnotherOperatingSystem) {
  make_pod("foreign", "", "os: {name: windows}, ");
  EXPECT_EQ(end_of("foreign"), "PodOSNotSupported: Pod was rejected: Failed to admit pod as the OS field doesn't match node OS");
  make_pod("own", "", "os: {name: linux}, ");
  EXPECT_EQ(end_of("own"), "Running");
}

TEST_F(NodeAdmission, CountsAmongThePodsThoseThatAreOnTheirWayOut) {
  make_pod("first", "resources: {requests: {cpu: 600m}}, lifecycle: {preStop: {sleep: {seconds: 20}}}");
  remove(kinds::kPods, "default", "first");
  run(seconds(1));
  make_pod("second", "resources: {requests: {cpu: 600m}}");
  EXPECT_EQ(end_of("second").substr(0, 8), "OutOfcpu");
}

TEST_F(NodeAdmission, TurnsAwayWhatWantsAnotherKindOfNode) {
  make_pod("picky", "", "nodeSelector: {disk: ssd}, ");
  EXPECT_EQ(end_of("picky"), "NodeAffinity: Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector");
  ASSERT_TRUE(patch(kinds::kNodes, "", "a", R"({"metadata":{"labels":{"disk":"ssd"}}})"));
  make_pod("content", "", "nodeSelector: {disk: ssd}, ");
  EXPECT_EQ(end_of("content"), "Running");
}

TEST_F(NodeAdmission, TurnsAwayWhoWantsAPortThatIsTaken) {
  make_pod("first", "ports: [{containerPort: 80, hostPort: 8080}]");
  make_pod("second", "ports: [{containerPort: 80, hostPort: 8080}]");
  make_pod("third", "ports: [{containerPort: 80, hostPort: 8081}]");
  EXPECT_EQ(end_of("first"), "Running");
  EXPECT_EQ(end_of("second"), "NodePorts: Pod was rejected: Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports");
  EXPECT_EQ(end_of("third"), "Running");
}

TEST_F(NodeAdmission, TurnsAwayWhoDoesNotTolerateATaintThatForbidsToRun) {
  ASSERT_TRUE(patch(kinds::kNodes, "", "a", R"({"spec":{"taints":[{"key":"broken","effect":"NoExecute"}]}})"));
  make_pod("delicate", "");
  make_pod("robust", "", "tolerations: [{operator: Exists}], ");
  EXPECT_EQ(end_of("delicate"), "TaintToleration: Pod was rejected: Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate");
  EXPECT_EQ(end_of("robust"), "Running");
}

TEST_F(NodeAdmission, LeavesResourcesAloneThatTheNodeDoesNotKnow) {
  make_pod("stranger", "resources: {limits: {example.com/dongle: 1}}");
  EXPECT_EQ(end_of("stranger"), "Running");
  ASSERT_TRUE(patch(kinds::kNodes, "", "a", R"({"status":{"capacity":{"example.com/dongle":"1"},"allocatable":{"example.com/dongle":"1"}}})", "status"));
  run(minutes(1));
  make_pod("second", "resources: {limits: {example.com/dongle: 1}}");
  EXPECT_EQ(end_of("second"), "OutOfexample.com/dongle: Pod was rejected: Node didn't have enough resource: example.com/dongle, requested: 1, "
                              "used: 1, capacity: 1");
}

// What ran before the agent began anew is not asked again.
TEST_F(NodeAdmission, LetsStayWhatRuns) {
  make_pod("first", "resources: {requests: {cpu: 600m}}", "nodeSelector: {kubernetes.io/os: linux}, ");
  ASSERT_TRUE(patch(kinds::kNodes, "", "a", R"({"metadata":{"labels":{"kubernetes.io/os":"plan9"}}})"));
  KubeletConfig config;
  config.node_name = "a";
  config.milli_cpu = 500;
  config.memory_bytes = int64_t{1} << 30;
  kubelet.reset();
  kubelet = std::make_unique<Kubelet>(config, executor, agent, runtime, nullptr, Rng(4));
  kubelet->start();
  run(minutes(1));
  EXPECT_EQ(end_of("first"), "Running");
}

}  // namespace
}  // namespace minik::sim
