// SimulatedCluster: a whole control plane and any number of machines on one virtual executor.
//
// The control plane is the product's own: store, API server, controllers, scheduler, kubelets. This file
// puts them together as minik/process does, with simulated edges, and gives the handles that faults pull:
// crash a machine, cut its link, restart a component. Crashing destroys the object and everything it
// remembers; what comes back reads the API again, as the real thing would.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/api_server.h"
#include "control/audit/auditor.h"
#include "control/base/metrics.h"
#include "control/client/event_recorder.h"
#include "control/controllers/controller_manager.h"
#include "control/kubelet/kubelet.h"
#include "control/scheduler/scheduler.h"
#include "control/store/memory_log.h"
#include "control/store/store.h"
#include "sim/simulated_runtime.h"
#include "sim/trace.h"
#include "sim/transport.h"
#include "sim/virtual_executor.h"

namespace minik::sim {

struct NodePool {
  std::string name = "node";
  int64_t count = 1;
  int64_t milli_cpu = 8000;
  int64_t memory_bytes = 32LL << 30;
  int64_t pods_max = 110;
  std::map<std::string, std::string> labels;
  std::vector<std::string> zones;  // given out in turn
  control::Value taints;
};

struct ClusterOptions {
  uint64_t seed = 0;
  WallTime begin{1'767'225'600'000'000'000};  // 2026-01-01T00:00:00Z
  std::vector<NodePool> pools;
  std::vector<ImageBehaviour> images;
  Spread sandbox_time{milliseconds(20), milliseconds(80)};
  LinkDelays delays;
  Duration node_grace = seconds(50);
  std::optional<control::AuditPolicy> audit_policy = {};  // none: no audit log
  control::AuditSink audit = {};
};

// Random trouble of one component of the control plane, for as long as it is set.
struct ComponentFaults {
  LinkFaults link;
  // Per write, in parts per million: the component dies around it, before the write arrives, before its
  // answer does, or just after, and is back after `down`.
  uint32_t crash_at_write = 0;
  Spread down{Duration{}, seconds(5)};
};

class SimulatedCluster {
 public:
  SimulatedCluster(ClusterOptions options, Trace* trace);
  ~SimulatedCluster();
  SimulatedCluster(const SimulatedCluster&) = delete;
  SimulatedCluster& operator=(const SimulatedCluster&) = delete;

  void start();

  VirtualExecutor& executor() { return executor_; }
  control::ApiServer& api() { return *api_; }
  const control::Store& store() const { return *store_; }
  MetricRegistry& metrics() { return metrics_; }

  // Makes a request as the cluster's administrator; the answer comes as time moves on.
  void request(control::ApiRequest request, control::ResponseCallback done);

  std::vector<std::string> node_names() const;
  bool node_running(const std::string& name) const;
  // Power off: the machine, its containers and its kubelet are gone until it is started again.
  void crash_node(const std::string& name);
  void start_node(const std::string& name);
  // The machine goes on, nothing of it reaches the API and nothing of the API reaches it.
  void set_node_connected(const std::string& name, bool connected);
  void restart_kubelet(const std::string& name);
  void set_node_slowness(const std::string& name, int64_t factor);
  // Stopped they stay away until they are restarted.
  void stop_controllers();
  void restart_controllers();
  void stop_scheduler();
  void restart_scheduler();
  // From now on the running containers of this image (an entry of ClusterOptions::images, by its pattern)
  // share so much work.
  void set_load(std::string_view image_pattern, int64_t milli_cpu);
  void set_controller_faults(ComponentFaults faults);
  // How often the controllers have died.
  uint64_t controller_crashes() const { return controller_crashes_; }

 private:
  struct Machine {
    control::KubeletConfig config;
    uint32_t network = 0;
    std::unique_ptr<SimulatedRuntime> runtime;
    std::unique_ptr<SimulatedClient> client;
    std::unique_ptr<control::Kubelet> kubelet;
    uint64_t lives = 0;
  };
  std::unique_ptr<SimulatedClient> make_client(const std::string& component);
  void ask_usage(const std::string& node, control::UsageCallback done);
  void trouble_controllers();
  void crash_controllers();
  void boot(Machine& machine);
  void start_kubelet(Machine& machine);
  Machine& machine(const std::string& name);

  // The log that the trace listens to.
  class TracedLog;

  ClusterOptions options_;
  Trace* trace_;
  VirtualExecutor executor_;
  Rng rng_;
  MetricRegistry metrics_;
  std::unique_ptr<control::Log> log_;
  std::unique_ptr<control::Store> store_;
  std::unique_ptr<control::ApiServer> api_;
  std::unique_ptr<SimulatedClient> controller_client_, scheduler_client_, admin_client_;
  std::unique_ptr<control::ControllerManager> controllers_;
  std::unique_ptr<control::InformerSet> scheduler_informers_;
  std::unique_ptr<control::EventRecorder> scheduler_events_;
  std::unique_ptr<control::Scheduler> scheduler_;
  std::vector<ImageLoad> loads_;  // of options_.images
  std::map<std::string, Machine> machines_;
  uint64_t lives_ = 0;
  ComponentFaults controller_faults_;
  Rng crash_rng_;
  uint64_t controller_lives_ = 0, controller_crashes_ = 0;
};

}  // namespace minik::sim
