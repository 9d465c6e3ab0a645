// SimulatedCluster: a whole control plane and any number of machines on one virtual executor.
//
// The control plane is the product's own: store, API server, controllers, scheduler, kubelets. This file
// puts them together as minik/process does, with simulated edges, and gives the handles that faults pull:
// crash a machine, cut its link, restart a component, stop the API server, cut the store's power. Crashing destroys
// the object and everything it remembers; what comes back reads the API again, as the real thing would.
//
//   cluster.cpp             assembly and requests
//   cluster_components.cpp  controllers and scheduler: processes that die, lead and are replaced
//   cluster_nodes.cpp       machines
//   cluster_rest.cpp        machines that need not say that nothing has happened
//   cluster_api.cpp         the API server and the store under it: stopping, losing power, starting anew
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/api/api_server.h"
#include "control/audit/auditor.h"
#include "control/base/metrics.h"
#include "control/client/event_recorder.h"
#include "control/controllers/controller_manager.h"
#include "control/kubelet/kubelet.h"
#include "control/scheduler/scheduler.h"
#include "control/store/store.h"
#include "sim/component.h"
#include "sim/fault.h"
#include "sim/machine_executor.h"
#include "sim/node_pool.h"
#include "sim/simulated_runtime.h"
#include "sim/store_log.h"
#include "sim/surroundings.h"
#include "sim/trace.h"
#include "sim/transport.h"
#include "sim/virtual_executor.h"
#include "sim/webhooks.h"

namespace minik::sim {

struct ClusterOptions {
  uint64_t seed = 0;
  WallTime begin{1'767'225'600'000'000'000};  // 2026-01-01T00:00:00Z
  std::vector<NodePool> pools;
  std::vector<ImageBehaviour> images;
  LinkDelays delays;
  Duration node_grace = seconds(50);
  // The store's log is the real one, on a simulated disk: slower, and needed for its power to be cut.
  bool store_on_disk = false;
  // Nodes that nothing disturbs rest: of their Leases and heartbeats nothing is written (disturb()).
  bool nodes_rest = false;
  // As in the one process of `minik start`: there is no lease that a new leader would have to wait for.
  bool leads_at_once = false;
  int64_t api_objects_per_second = 0;      // what the API server makes its way through; 0: any number
  std::optional<Duration> names_cached;  // names are known so long after the name servers have heard from the API server
  std::set<Component> controllers_apart;  // each of these is a process of its own
  const control::Schema* schema = &control::Schema::builtin();  // which outlives the cluster
  std::optional<control::AuditPolicy> audit_policy = {};  // none: no audit log
  control::AuditSink audit = {};
  control::FieldAccounts field_accounts = control::FieldAccounts::kFromFirstClient;
};

// Random trouble of one component of the control plane, for as long as it is set.
struct ComponentFaults {
  LinkFaults link;
  // Per write, in parts per million: the component dies around it, before the write arrives, before its
  // answer does, or just after, and is back after `down`.
  uint32_t crash_at_write = 0;
  Distribution down{Duration{}, seconds(5)};
};

// Told of what components write. All are optional.
struct RequestWatch {
  // As it leaves; false: it gets lost, as when its sender dies over it. Called inside the sender's own call, which
  // must not be destroyed here.
  std::function<bool(const std::string& component, const control::ApiRequest&)> leaves;
  // When the server has answered that it succeeded.
  std::function<void(const std::string& component, const control::ApiRequest&)> done;
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
  // Null while it is away.
  control::ApiServer* running_api() { return api_.get(); }
  bool api_running() const { return api_ != nullptr; }
  // While the API server is away: as it left it.
  const control::Store& store() const { return *store_; }
  // For whoever only watches it.
  control::Store& watched_store() { return *store_; }
  // How often the store has been built anew; whoever watches it begins again then.
  uint64_t store_lives() const { return store_lives_; }
  void on_store_change(std::function<void()> listener) { store_listener_ = std::move(listener); }
  MetricRegistry& metrics() { return metrics_; }
  // What answers the admission webhooks of the cluster.
  SimulatedWebhooks& webhooks() { return webhooks_; }
  const ClusterOptions& options() const { return options_; }
  const control::Schema& schema() const { return *options_.schema; }

  // Makes a request as the cluster's administrator; the answer comes as time moves on.
  void request(control::ApiRequest request, control::ResponseCallback done);
  void watch_requests(RequestWatch watch);

  // --- machines ---
  // Something goes wrong, or may: every node that rests takes up its heartbeats again, and none rests for the next
  // minute. What is done to it by the functions below tells so by itself.
  void disturb();
  std::vector<std::string> node_names() const;
  bool has_node(const std::string& name) const { return machines_.contains(name); }
  const NodePool& pool_of(const std::string& name) const;
  std::string zone_of(const std::string& name) const;
  // Power on, whether its kubelet runs or not.
  bool node_running(const std::string& name) const;
  // Power off: the machine, its containers and its kubelet are gone until it is started again.
  void crash_node(const std::string& name);
  // Of a machine that is off: it is another one, of the same name, that will be started.
  void wipe_disk(const std::string& name);
  void start_node(const std::string& name);
  // The machine goes on, nothing of it reaches the API and nothing of the API reaches it.
  void set_node_connected(const std::string& name, bool connected);
  // Trouble on its link, one-way cuts and held messages among it.
  void set_node_faults(const std::string& name, const LinkFaults& faults);
  // Nothing on it moves until it is set back.
  void set_node_frozen(const std::string& name, bool frozen);
  void jump_clock(const std::string& name, Duration by);
  void stop_kubelet(const std::string& name);
  void restart_kubelet(const std::string& name);
  bool kubelet_running(const std::string& name) const;
  void set_node_slowness(const std::string& name, int64_t factor);
  void set_disk(const std::string& name, bool full, int64_t slowness);
  // What the machine registers with from its next boot on.
  void set_node_labels(const std::string& name, const std::map<std::string, std::string>& labels);
  // Null while the machine is down.
  SimulatedRuntime* runtime(const std::string& name);
  Surroundings& surroundings() { return surroundings_; }

  // --- the control plane ---
  // Its processes: the controllers, those of them that stand apart, the scheduler. Each is handled by itself.
  std::vector<Component> components() const;
  // A single controller that runs among the others becomes a process of its own; the others start anew without it.
  void set_apart(const Component& component);
  // Stopped they stay away until they are restarted.
  void stop_controllers() { stop(Component::kControllers); }
  void restart_controllers() { restart(Component::kControllers); }
  void stop_scheduler() { stop(Component::kScheduler); }
  void restart_scheduler() { restart(Component::kScheduler); }
  void stop(const Component& component);
  void restart(const Component& component);
  // A new process takes its place. Who finds the lease of another waits until nobody has renewed it; of the components the
  // scheduler alone gives its own back when it ends in order.
  void replace(const Component& component);
  // It has died, and its successor finds the lease.
  void await_lease(const Component& component);
  bool running(const Component& component) const;
  // It does not run and will by itself.
  bool comes_back(const Component& component) const { return parts_.at(component).comes_back; }
  // It has lost its lease and ends. What its link holds stays there until release_old_leader().
  void end_leader(const Component& component);
  void release_old_leader(const Component& component);
  // Another instance takes over, and the old one does not know yet: what it writes is held until end_old_leader().
  void add_leader(const Component& component);
  void end_old_leader(const Component& component);
  void set_controller_faults(ComponentFaults faults) { set_faults(Component::kControllers, faults); }
  void set_faults(const Component& component, ComponentFaults faults);
  // How often the controllers have died.
  uint64_t controller_crashes() const { return parts_.at(Component::kControllers).crashes; }
  // From now on the running containers of this image (an entry of ClusterOptions::images, by its pattern)
  // share so much work.
  void set_load(std::string_view image_pattern, int64_t milli_cpu);
  void set_load_requests(std::string_view image_pattern, int64_t requests);

  // --- the API server and its store ---
  void stop_api();
  void start_api();
  ApiGate& gate() { return gate_; }
  // Watches end, and what they could resume from is forgotten: 410.
  void expire_watches();
  // The log's disk; see store_log.h. A control plane whose log has failed is away until start_api().
  void cut_store_power();
  void set_store_full(bool full);
  void set_store_latency(const Distribution& latency);

 private:
  struct Machine {
    control::KubeletConfig config;
    const NodePool* pool = nullptr;
    std::string zone;
    uint32_t network = 0;
    std::unique_ptr<MachineExecutor> executor;
    std::unique_ptr<SimulatedRuntime> runtime;  // none: the machine is off
    std::unique_ptr<SimulatedRuntime> off;      // what it keeps on its disk meanwhile
    std::unique_ptr<SimulatedClient> client;
    std::unique_ptr<SimulatedClient> pods_client;  // of containers that ask the API server; none: there are none
    std::unique_ptr<control::Kubelet> kubelet;
    uint64_t lives = 0;
    Instant frozen_since;
    // Its containers want more of its processors than it has: everything on it stands still in turns.
    int64_t milli_cpu_wanted = 0;
    bool starves = false, stands_still = false;
    // What outlives its lives.
    Instant spoke_at;  // see Kubelet::spoke_at
    bool connected = true, disk_full = false, frozen = false;
    int64_t slowness = 1, disk_slowness = 1;
    LinkFaults faults;
  };
  // One life of a component: a manager, or the scheduler and what is around it.
  struct Process {
    std::unique_ptr<SimulatedClient> client;
    std::unique_ptr<control::ControllerManager> manager;
    std::unique_ptr<control::InformerSet> informers;
    std::unique_ptr<control::EventRecorder> events;
    std::unique_ptr<control::Scheduler> scheduler;
    void stop();
  };
  struct Part {
    explicit Part(Rng crashes_drawn) : crash_rng(crashes_drawn) {}
    ComponentFaults faults;
    Rng crash_rng;
    uint64_t lives = 0, crashes = 0;
    Process process, old;  // `old` believes to lead, or
    bool has_ended = false;  // it does not, and only its client is left
    bool comes_back = false;
  };

  void make_store();
  void make_api();
  void add_machines();
  std::unique_ptr<SimulatedClient> make_client(const std::string& component, Executor& executor);
  void watch_client(SimulatedClient& client, const std::string& component);
  std::vector<SimulatedClient*> all_clients();
  void start_controllers(const Component& component, Process& process);
  void start_scheduler(Process& process);
  void ask_usage(const std::string& node, control::UsageCallback done);
  bool service_answers(const std::string& name);
  // Whether a machine is there for this pod's address.
  bool reaches(const std::string& address);
  Part& part(const Component& component) { return parts_.at(component); }
  void trouble(const Component& component, SimulatedClient& client);
  void crash(const Component& component);
  void boot(Machine& machine);
  void start_kubelet(Machine& machine);
  void end_kubelet(Machine& machine);
  bool may_rest();
  Instant spoke_at(const std::string& node) const;
  void settle_frozen(Machine& machine);
  void take_turns(const std::string& name, uint64_t life);
  std::vector<SimulatedClient*> clients_of(Machine& machine);
  void ask_for_pod(const std::string& node, control::KindId kind, const std::string& token, Surroundings::Answered done);
  void ask_names();
  Machine& machine(const std::string& name);

  ClusterOptions options_;
  Trace* trace_;
  VirtualExecutor executor_;
  Rng rng_;
  SimulatedWebhooks webhooks_;
  MetricRegistry metrics_;
  Surroundings surroundings_;
  ApiGate gate_;
  std::unique_ptr<StoreLog> log_;
  std::unique_ptr<control::Store> store_;
  std::unique_ptr<control::ApiServer> api_;
  std::function<void()> store_listener_;
  uint64_t store_lives_ = 0, api_lives_ = 0;
  RequestWatch request_watch_;
  std::unique_ptr<SimulatedClient> admin_client_, names_client_;
  Instant names_heard_;
  std::map<Component, Part> parts_;
  std::map<std::string, Machine> machines_;
  Instant disturbed_at_;
  bool some_rest_ = false;
  std::map<uint32_t, std::string> by_network_;
  uint64_t lives_ = 0;
  std::map<std::string, std::pair<Instant, bool>> service_answers_;  // by name, as last looked up
};

}  // namespace minik::sim
