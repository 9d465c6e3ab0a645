#include "sim/cluster.h"

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;

namespace {

bool is_write(control::Verb verb) {
  using control::Verb;
  return verb == Verb::kCreate || verb == Verb::kUpdate || verb == Verb::kPatch || verb == Verb::kDelete ||
         verb == Verb::kDeleteCollection;
}

}  // namespace

class SimulatedCluster::TracedLog : public control::Log {
 public:
  TracedLog(Trace* trace, const Executor& executor) : trace_(trace), executor_(executor) {}
  void append(std::vector<control::LogRecord> batch, std::function<void(Status)> durable) override {
    if (trace_) {
      for (const auto& record : batch) trace_->on_write(executor_.now(), record);
    }
    log_.append(std::move(batch), std::move(durable));
  }

 private:
  Trace* trace_;
  const Executor& executor_;
  control::MemoryLog log_;
};

SimulatedCluster::SimulatedCluster(ClusterOptions options, Trace* trace)
    : options_(std::move(options)),
      trace_(trace),
      executor_(options_.seed, options_.begin),
      rng_(options_.seed),
      log_(std::make_unique<TracedLog>(trace, executor_)),
      store_(std::make_unique<control::Store>(*log_, [](const Error& error) { CHECK(false) << error.message; })),
      crash_rng_(rng_.fork("crashes")) {
  control::ApiServerOptions api_options;
  api_options.issue_token = [](const control::TokenOrder& order) -> Result<std::string> {
    return cat("simulated-token-of-", order.bond.namespace_, "-", order.bond.account.name);
  };
  if (options_.audit_policy)
    api_options.auditor = std::make_shared<control::Auditor>(*options_.audit_policy, rng_.fork("audit"), options_.audit);
  api_ = std::make_unique<control::ApiServer>(executor_, *store_, control::Schema::builtin(), metrics_,
                                              rng_.fork("api"), api_options);
  api_->set_usage_source([this](const std::string& node, control::UsageCallback done) { ask_usage(node, std::move(done)); });
  for (const auto& image : options_.images) loads_.push_back({image.load_milli_cpu, 0});
  uint32_t index = 0;
  for (const auto& pool : options_.pools) {
    for (int64_t i = 0; i < pool.count; ++i, ++index) {
      Machine m;
      m.config.node_name = pool.count == 1 && options_.pools.size() > 1 ? pool.name : cat(pool.name, "-", i);
      m.config.labels = pool.labels;
      if (!pool.zones.empty()) {
        m.config.labels["topology.kubernetes.io/zone"] = pool.zones[static_cast<size_t>(i) % pool.zones.size()];
      }
      m.config.taints = pool.taints;
      m.config.milli_cpu = pool.milli_cpu;
      m.config.memory_bytes = pool.memory_bytes;
      m.config.pods_max = pool.pods_max;
      m.config.addresses = {format_ipv4((172U << 24) + (16U << 16) + index + 2)};
      m.network = (10U << 24) + (index << 8);
      m.config.pod_cidr = cat(format_ipv4(m.network), "/24");
      machines_.emplace(m.config.node_name, std::move(m));
    }
  }
}

SimulatedCluster::~SimulatedCluster() = default;

std::unique_ptr<SimulatedClient> SimulatedCluster::make_client(const std::string& component) {
  DeliveryHook hook;
  if (trace_) {
    hook = [this](const std::string& who, const control::WatchEvent& event) {
      trace_->on_delivery(executor_.now(), who, event);
    };
  }
  return std::make_unique<SimulatedClient>(
      executor_, [this] { return api_.get(); }, component, rng_.fork(cat("link/", component, "/", lives_++)),
      options_.delays, std::move(hook));
}

void SimulatedCluster::start() {
  api_->bootstrap();
  admin_client_ = make_client("admin");
  restart_controllers();
  restart_scheduler();
  for (auto& [name, m] : machines_) boot(m);
}

void SimulatedCluster::stop_controllers() {
  controllers_.reset();
  controller_client_.reset();
  ++controller_lives_;
}

void SimulatedCluster::restart_controllers() {
  stop_controllers();
  controller_client_ = make_client("system:controllers");
  trouble_controllers();
  control::ControllerManagerOptions options;
  options.node_lifecycle.grace_period = options_.node_grace;
  options.cluster_ca_pem = "simulated";
  // What is asked for, in the place of a signature: the certificate of one request is always the same.
  options.sign_certificate = [](const control::CertificateOrder& order) -> Result<std::string> {
    return cat("simulated certificate for ", order.request_pem);
  };
  // A simulated directory is gone as soon as its machine is there to say so.
  options.remove_volume_directory = [this](const std::string& node, const std::string&,
                                           std::function<void(Status)> done) {
    executor_.after(options_.delays.request_max, [this, node, done = std::move(done)] {
      const bool there = machines_.contains(node) && node_running(node);
      done(there ? Status() : Status(Error(ErrorCode::kServiceUnavailable,
                                                        cat("node ", quoted(node), " is down"))));
    });
  };
  controllers_ = std::make_unique<control::ControllerManager>(control::Schema::builtin(), executor_,
                                                              *controller_client_, metrics_,
                                                              rng_.fork(cat("controllers/", lives_)), options);
  controllers_->start();
}

void SimulatedCluster::set_load(std::string_view image_pattern, int64_t milli_cpu) {
  for (size_t i = 0; i < loads_.size(); ++i) {
    if (options_.images[i].match == image_pattern) loads_[i].milli_cpu = milli_cpu;
  }
}

// The API server asks a node agent: a way there, and the answer's way back.
void SimulatedCluster::ask_usage(const std::string& node, control::UsageCallback done) {
  const auto reach = [this, node]() -> control::Kubelet* {
    const auto found = machines_.find(node);
    const bool there = found != machines_.end() && found->second.client && found->second.client->connected();
    return there ? found->second.kubelet.get() : nullptr;
  };
  executor_.after(options_.delays.request_min, [this, node, reach, done = std::move(done)] {
    control::Kubelet* kubelet = reach();
    if (!kubelet) {
      done(Error(ErrorCode::kServiceUnavailable, cat("the node agent of ", node, " cannot be reached")));
      return;
    }
    kubelet->usage([this, done](Result<control::NodeUsage> usage) {
      executor_.after(options_.delays.request_min, [done, usage = std::move(usage)] { done(usage); });
    });
  });
}

void SimulatedCluster::set_controller_faults(ComponentFaults faults) {
  controller_faults_ = faults;
  if (controller_client_) trouble_controllers();
}

void SimulatedCluster::trouble_controllers() {
  controller_client_->set_faults(controller_faults_.link);
  controller_client_->on_send([this, life = controller_lives_](const control::ApiRequest& request) {
    if (!is_write(request.verb)) return;
    if (controller_faults_.crash_at_write == 0 || !crash_rng_.chance_ppm(controller_faults_.crash_at_write)) return;
    // As long as the write and its answer are on their way: the crash falls before, between or after.
    const Duration round_trip = options_.delays.request_max * 3;
    executor_.after(crash_rng_.between(Duration{}, round_trip), [this, life] {
      if (life == controller_lives_ && controllers_) crash_controllers();
    });
  });
}

void SimulatedCluster::crash_controllers() {
  ++controller_crashes_;
  controllers_.reset();
  controller_client_.reset();
  executor_.after(controller_faults_.down.draw(crash_rng_), [this, life = controller_lives_] {
    if (life == controller_lives_) restart_controllers();
  });
}

void SimulatedCluster::stop_scheduler() {
  scheduler_.reset();
  scheduler_events_.reset();
  scheduler_informers_.reset();
  scheduler_client_.reset();
}

void SimulatedCluster::restart_scheduler() {
  stop_scheduler();
  scheduler_client_ = make_client("system:scheduler");
  const Rng rng = rng_.fork(cat("scheduler/", lives_));
  scheduler_informers_ = std::make_unique<control::InformerSet>(executor_, *scheduler_client_, rng.fork("informers"));
  scheduler_events_ = std::make_unique<control::EventRecorder>(executor_, *scheduler_client_, kinds::kEvents,
                                                               "default-scheduler", "", rng.fork("events"));
  scheduler_ = std::make_unique<control::Scheduler>(executor_, *scheduler_client_, *scheduler_informers_,
                                                    *scheduler_events_, metrics_, rng);
  scheduler_->start();
  scheduler_informers_->start();
}

void SimulatedCluster::boot(Machine& m) {
  ++m.lives;
  m.runtime = std::make_unique<SimulatedRuntime>(
      executor_, rng_.fork(cat("runtime/", m.config.node_name, "/", m.lives)), options_.images, loads_, m.config.node_name,
      m.network, options_.sandbox_time);
  start_kubelet(m);
}

void SimulatedCluster::start_kubelet(Machine& m) {
  m.kubelet.reset();
  m.client = make_client(cat("system:node:", m.config.node_name));
  m.kubelet = std::make_unique<control::Kubelet>(m.config, executor_, *m.client, *m.runtime, nullptr,
                                                 rng_.fork(cat("kubelet/", m.config.node_name, "/", lives_)));
  // Machines do not boot in the same instant, and their heartbeats stay apart because of it.
  executor_.after(rng_.fork(cat("boot/", m.config.node_name, "/", lives_)).between(Duration{}, seconds(1)),
                  [this, name = m.config.node_name, life = m.lives, kubelet = m.kubelet.get()] {
                    Machine& machine = machines_.at(name);
                    if (machine.lives == life && machine.kubelet.get() == kubelet) kubelet->start();
                  });
}

SimulatedCluster::Machine& SimulatedCluster::machine(const std::string& name) {
  const auto found = machines_.find(name);
  CHECK(found != machines_.end()) << "no machine " << name;
  return found->second;
}

std::vector<std::string> SimulatedCluster::node_names() const {
  std::vector<std::string> names;
  for (const auto& [name, m] : machines_) names.push_back(name);
  return names;
}

bool SimulatedCluster::node_running(const std::string& name) const {
  const auto found = machines_.find(name);
  return found != machines_.end() && found->second.kubelet != nullptr;
}

void SimulatedCluster::crash_node(const std::string& name) {
  Machine& m = machine(name);
  m.kubelet.reset();
  m.client.reset();
  m.runtime.reset();
}

void SimulatedCluster::start_node(const std::string& name) {
  Machine& m = machine(name);
  if (!m.kubelet) boot(m);
}

void SimulatedCluster::set_node_connected(const std::string& name, bool connected) {
  Machine& m = machine(name);
  if (m.client) m.client->set_connected(connected);
}

void SimulatedCluster::restart_kubelet(const std::string& name) {
  Machine& m = machine(name);
  if (m.runtime) start_kubelet(m);
}

void SimulatedCluster::set_node_slowness(const std::string& name, int64_t factor) {
  Machine& m = machine(name);
  if (m.runtime) m.runtime->set_slowness(factor);
}

void SimulatedCluster::request(control::ApiRequest request, control::ResponseCallback done) {
  admin_client_->send(std::move(request), std::move(done));
}

}  // namespace minik::sim
