#include "sim/cluster.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace kinds = control::kinds;

namespace {

bool is_write(control::Verb verb) {
  using control::Verb;
  return verb == Verb::kCreate || verb == Verb::kUpdate || verb == Verb::kPatch || verb == Verb::kDelete ||
         verb == Verb::kDeleteCollection;
}

constexpr std::string_view kControllersUser = "system:controllers", kSchedulerUser = "system:scheduler";

}  // namespace

SimulatedCluster::SimulatedCluster(ClusterOptions options, Trace* trace)
    : options_(std::move(options)),
      trace_(trace),
      executor_(options_.seed, options_.begin),
      rng_(options_.seed),
      surroundings_(options_.images),
      gate_(rng_.fork("gate")),
      log_(std::make_unique<StoreLog>(options_.store_on_disk ? StoreLog::Where::kDisk : StoreLog::Where::kMemory,
                                      rng_.fork("disk"), executor_, trace)),
      controllers_part_{{}, rng_.fork("crashes")},
      scheduler_part_{{}, rng_.fork("scheduler crashes")} {
  executor_.set_chance(options_.delays.chance);
  surroundings_.service_answers = [this](const std::string& name) { return service_answers(name); };
  make_store();
  make_api();
  add_machines();
}

SimulatedCluster::~SimulatedCluster() = default;

std::unique_ptr<SimulatedClient> SimulatedCluster::make_client(const std::string& component, Executor& executor) {
  DeliveryHook hook;
  if (trace_) {
    hook = [this](const std::string& who, const control::WatchEvent& event) {
      trace_->on_delivery(executor_.now(), who, event);
    };
  }
  auto client = std::make_unique<SimulatedClient>(
      executor, [this] { return api_.get(); }, component, rng_.fork(cat("link/", component, "/", lives_++)),
      options_.delays, std::move(hook));
  client->set_gate(&gate_);
  watch_client(*client, component);
  return client;
}

void SimulatedCluster::watch_client(SimulatedClient& client, const std::string& component) {
  if (request_watch_.leaves) {
    client.on_send([this, component](const control::ApiRequest& request) {
      return !is_write(request.verb) || request_watch_.leaves(component, request);
    });
  }
  if (request_watch_.done) {
    client.on_done([this, component](const control::ApiRequest& request) {
      if (is_write(request.verb)) request_watch_.done(component, request);
    });
  }
}

void SimulatedCluster::watch_requests(RequestWatch watch) {
  request_watch_ = std::move(watch);
  if (admin_client_) watch_client(*admin_client_, "admin");
  if (controllers_.client) trouble(Component::kControllers, *controllers_.client);
  if (scheduler_.client) trouble(Component::kScheduler, *scheduler_.client);
  for (auto& [name, m] : machines_) {
    if (m.client) watch_client(*m.client, cat("system:node:", name));
  }
}

std::vector<SimulatedClient*> SimulatedCluster::all_clients() {
  std::vector<SimulatedClient*> all;
  for (const auto* client : {&admin_client_, &controllers_.client, &old_controllers_.client, &scheduler_.client,
                             &old_scheduler_.client}) {
    if (*client) all.push_back(client->get());
  }
  for (auto& [name, m] : machines_) {
    if (m.client) all.push_back(m.client.get());
  }
  return all;
}

void SimulatedCluster::start() {
  api_->bootstrap();
  admin_client_ = make_client("admin", executor_);
  restart_controllers();
  restart_scheduler();
  for (auto& [name, m] : machines_) boot(m);
}

void SimulatedCluster::request(control::ApiRequest request, control::ResponseCallback done) {
  admin_client_->send(std::move(request), std::move(done));
}

void SimulatedCluster::set_load(std::string_view image_pattern, int64_t milli_cpu) {
  for (size_t i = 0; i < surroundings_.loads.size(); ++i) {
    if (surroundings_.images[i].match == image_pattern) surroundings_.loads[i].milli_cpu = milli_cpu;
  }
}

void SimulatedCluster::set_load_requests(std::string_view image_pattern, int64_t requests) {
  for (size_t i = 0; i < surroundings_.loads.size(); ++i) {
    if (surroundings_.images[i].match == image_pattern) surroundings_.loads[i].requests = requests;
  }
}

// --- controllers and scheduler ---

void SimulatedCluster::stop_controllers() { stop(Component::kControllers); }
void SimulatedCluster::restart_controllers() { restart(Component::kControllers); }
void SimulatedCluster::stop_scheduler() { stop(Component::kScheduler); }
void SimulatedCluster::restart_scheduler() { restart(Component::kScheduler); }

void SimulatedCluster::SchedulerProcess::stop() {
  scheduler.reset();
  events.reset();
  informers.reset();
  client.reset();
}

void SimulatedCluster::stop(Component component) {
  if (component == Component::kScheduler) {
    scheduler_.stop();
  } else {
    controllers_.manager.reset();
    controllers_.client.reset();
  }
  ++part(component).lives;
}

void SimulatedCluster::restart(Component component) {
  stop(component);
  if (component == Component::kScheduler) {
    start_scheduler(scheduler_);
  } else {
    start_controllers(controllers_);
  }
}

bool SimulatedCluster::running(Component component) const {
  return component == Component::kScheduler ? scheduler_.scheduler != nullptr : controllers_.manager != nullptr;
}

void SimulatedCluster::start_controllers(Controllers& process) {
  process.client = make_client(std::string(kControllersUser), executor_);
  trouble(Component::kControllers, *process.client);
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
      const bool there = machines_.contains(node) && kubelet_running(node);
      done(there ? Status() : Status(Error(ErrorCode::kServiceUnavailable,
                                                        cat("node ", quoted(node), " is down"))));
    });
  };
  process.manager = std::make_unique<control::ControllerManager>(control::Schema::builtin(), executor_,
                                                                 *process.client, metrics_,
                                                                 rng_.fork(cat("controllers/", lives_)), options);
  process.manager->start();
}

void SimulatedCluster::start_scheduler(SchedulerProcess& process) {
  process.client = make_client(std::string(kSchedulerUser), executor_);
  trouble(Component::kScheduler, *process.client);
  const Rng rng = rng_.fork(cat("scheduler/", lives_));
  process.informers = std::make_unique<control::InformerSet>(executor_, *process.client, rng.fork("informers"));
  process.events = std::make_unique<control::EventRecorder>(executor_, *process.client, kinds::kEvents,
                                                            "default-scheduler", "", rng.fork("events"));
  process.scheduler = std::make_unique<control::Scheduler>(executor_, *process.client, *process.informers,
                                                           *process.events, metrics_, rng);
  process.scheduler->start();
  process.informers->start();
}

void SimulatedCluster::add_leader(Component component) {
  end_old_leader(component);
  LinkFaults held;
  held.hold_all_requests = true;
  if (component == Component::kScheduler) {
    old_scheduler_ = std::move(scheduler_);
    if (old_scheduler_.client) old_scheduler_.client->set_faults(held);
  } else {
    old_controllers_ = std::move(controllers_);
    if (old_controllers_.client) old_controllers_.client->set_faults(held);
  }
  restart(component);
}

// The old process dies, and what it had written is still on its way.
void SimulatedCluster::end_old_leader(Component component) {
  if (component == Component::kScheduler) {
    if (old_scheduler_.client) old_scheduler_.client->abandon();
    old_scheduler_.stop();
  } else {
    if (old_controllers_.client) old_controllers_.client->abandon();
    old_controllers_.manager.reset();
    old_controllers_.client.reset();
  }
}

void SimulatedCluster::set_faults(Component component, ComponentFaults faults) {
  part(component).faults = std::move(faults);
  const auto& client = component == Component::kScheduler ? scheduler_.client : controllers_.client;
  if (client) trouble(component, *client);
}

void SimulatedCluster::trouble(Component component, SimulatedClient& client) {
  Part& p = part(component);
  client.set_faults(p.faults.link);
  const std::string name(component == Component::kScheduler ? kSchedulerUser : kControllersUser);
  watch_client(client, name);
  if (p.faults.crash_at_write == 0 && !request_watch_.leaves) return;
  client.on_send([this, component, name, life = p.lives](const control::ApiRequest& request) {
    if (!is_write(request.verb)) return true;
    Part& mine = part(component);
    if (mine.faults.crash_at_write > 0 && mine.crash_rng.chance_ppm(mine.faults.crash_at_write)) {
      // As long as the write and its answer are on their way: the crash falls before, between or after.
      const Duration round_trip = options_.delays.request_max * 3;
      executor_.after(mine.crash_rng.between(Duration{}, round_trip), [this, component, life] {
        if (life == part(component).lives && running(component)) crash(component);
      });
    }
    return !request_watch_.leaves || request_watch_.leaves(name, request);
  });
}

void SimulatedCluster::crash(Component component) {
  Part& p = part(component);
  ++p.crashes;
  stop(component);
  executor_.after(p.faults.down.draw(p.crash_rng), [this, component, life = p.lives] {
    if (life == part(component).lives) restart(component);
  });
}

// --- what surrounds containers ---

bool SimulatedCluster::service_answers(const std::string& name) {
  auto& [at, answers] = service_answers_[name];
  if (at.ns != 0 && executor_.now() - at < seconds(1)) return answers;
  namespace keys = control::keys;
  const size_t slash = name.find('/');
  const std::string namespace_ = name.substr(0, slash), service = name.substr(slash + 1);
  at = executor_.now();
  bool ready = false;
  store_->for_each(kinds::kEndpointslices, [&](const control::Value& slice) {
    if (ready || control::object_namespace(slice) != namespace_) return;
    if (slice[keys::kMetadata][keys::kLabels].get("kubernetes.io/service-name").as_string() != service) return;
    ready = std::ranges::any_of(slice[keys::kEndpoints].items(), [](const control::Value& endpoint) {
      return endpoint[keys::kConditions].get("ready").as_bool(true);
    });
  });
  answers = ready;
  return answers;
}

}  // namespace minik::sim
