// A node agent with a machine's own counters, as that of `minik start` has: here they say what a test wants.
#include "tests/sim/virtual_api.h"

#include "control/controllers/pods.h"
#include "control/kubelet/kubelet.h"
#include "sim/simulated_runtime.h"

namespace minik::sim {
namespace {

using namespace control;

class Counters : public SimulatedRuntime {
 public:
  using SimulatedRuntime::SimulatedRuntime;
  void stats(Done<std::vector<ContainerStats>> done) override {
    ++asked;
    SimulatedRuntime::stats([this, done = std::move(done)](Result<std::vector<ContainerStats>> all) {
      for (auto& container : *all) {
        container.memory_working_set_bytes = memory[container.name];
        container.pids = processes[container.name];
      }
      done(std::move(all));
    });
  }
  void disk_usage(std::vector<std::string> uids, Done<DiskUsage> done) override {
    SimulatedRuntime::disk_usage(std::move(uids), [this, done = std::move(done)](Result<DiskUsage> usage) {
      usage->capacity_bytes = usage->available_bytes = int64_t{100} << 30;
      usage->inodes = 1000;
      usage->inodes_free = inodes_free;
      for (auto& [uid, pod] : usage->pods) pod.inodes = files[uid];
      done(std::move(usage));
    });
  }
  std::map<std::string, int64_t> memory, processes, files;  // by container, by pod
  int64_t inodes_free = 1000;
  int asked = 0;
};

class MachinePressure : public VirtualApi {
 protected:
  MachinePressure() : VirtualApi("system:node:a") {
    reading.memory_working_set_bytes = int64_t{4} << 30;
    reading.processes = 300;
    add("{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, namespace: default}}");
  }
  void start(std::string_view thresholds) {
    KubeletConfig config;
    config.node_name = "a";
    config.milli_cpu = 4000;
    config.memory_bytes = int64_t{16} << 30;
    config.processes_max = 1000;
    config.read_machine = [this] {
      MachineReading now = reading;
      if (reason("greedy") == "Evicted") now.memory_working_set_bytes -= runtime.memory["greedy"];
      return now;
    };
    if (!thresholds.empty()) config.eviction.thresholds = *parse_eviction_thresholds(thresholds);
    config.eviction.goes_on = [] { return true; };
    kubelet = std::make_unique<Kubelet>(config, executor, client, runtime, nullptr, Rng(3));
    kubelet->start();
    for (const auto name : {"greedy", "modest"}) {
      add(cat("{apiVersion: v1, kind: Pod, metadata: {name: ", name, ", namespace: default}, spec: {nodeName: a, automountServiceAccountToken: false, "
              "containers: [{name: ", name, ", image: 'web:1', resources: {requests: {memory: 1Gi}}}]}}"));
    }
    runtime.memory = {{"greedy", int64_t{3} << 30}, {"modest", int64_t{1} << 29}};
    run(seconds(30));
  }
  Value pod(const std::string& name) { return store.find(kinds::kPods, "default", name); }
  std::string reason(const std::string& name) { return pod(name)[keys::kStatus][keys::kReason].string(); }
  std::string message(const std::string& name) { return pod(name)[keys::kStatus][keys::kMessage].string(); }
  std::string status(std::string_view type) { return condition(store.find(kinds::kNodes, "", "a"), type)[keys::kStatus].string(); }

  MachineReading reading;
  Surroundings surroundings{{ImageBehaviour{}}};
  Counters runtime{executor, Rng(2), surroundings, "a", 0x0af40100};
  std::unique_ptr<Kubelet> kubelet;
};

TEST_F(MachinePressure, OfMemoryComesFromWhoeverHasItAndPodsGoForIt) {
  start("memory.available<1Gi");
  EXPECT_EQ(status("MemoryPressure"), "False");
  const int before = runtime.asked;
  run(minutes(5));
  EXPECT_EQ(runtime.asked, before) << "while there is enough, the machine's own counter says so";
  reading.memory_working_set_bytes = (int64_t{15} << 30) + (300 << 20);  // a browser, say
  run(seconds(11));
  EXPECT_EQ(status("MemoryPressure"), "True");
  EXPECT_EQ(message("greedy"),
            "The node was low on resource: memory. Threshold quantity: 1Gi, available: 724Mi. Container greedy was using 3Gi, request is 1Gi, has "
            "larger consumption of memory. ");
  run(minutes(1));
  EXPECT_EQ(reason("modest"), "") << "enough is left without the other";
  EXPECT_EQ(status("MemoryPressure"), "True");
  run(minutes(5));
  EXPECT_EQ(status("MemoryPressure"), "False");
}

TEST_F(MachinePressure, CostsNobodyAnythingWithoutThresholds) {
  start("");
  reading.memory_working_set_bytes = int64_t{16} << 30;
  reading.processes = 1000;
  runtime.inodes_free = 0;
  run(minutes(2));
  EXPECT_EQ(reason("greedy"), "");
  EXPECT_EQ(status("MemoryPressure"), "False");
  EXPECT_EQ(status("DiskPressure"), "False");
  EXPECT_EQ(status("PIDPressure"), "False");
  EXPECT_EQ(store.find(kinds::kNodes, "", "a")[keys::kStatus][keys::kAllocatable][keys::kMemory].as_string(), "16Gi");
}

TEST_F(MachinePressure, OfProcessNumbersTakesWhoHasMostOfThem) {
  start("pid.available<10%");
  runtime.processes = {{"greedy", 5}, {"modest", 550}};
  reading.processes = 950;
  run(seconds(11));
  EXPECT_EQ(status("PIDPressure"), "True");
  EXPECT_EQ(message("modest"), "The node was low on resource: pids. Threshold quantity: 100, available: 50. ");
  EXPECT_EQ(reason("greedy"), "");
}

TEST_F(MachinePressure, OfInodesTakesWhoHasMadeMostFiles) {
  start("nodefs.inodesFree<5%");
  runtime.files[std::string(object_uid(pod("greedy")))] = 10;
  runtime.files[std::string(object_uid(pod("modest")))] = 900;
  runtime.inodes_free = 40;
  run(seconds(11));
  EXPECT_EQ(status("DiskPressure"), "True");
  EXPECT_EQ(message("modest"), "The node was low on resource: inodes. Threshold quantity: 50, available: 40. ");
  EXPECT_EQ(reason("greedy"), "");
}

}  // namespace
}  // namespace minik::sim
