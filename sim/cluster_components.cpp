// The processes of the control plane: controllers and scheduler as they die, lead and are replaced.
#include <utility>

#include "control/base/text.h"
#include "control/schema/kinds.h"
#include "sim/cluster.h"
#include "sim/distribution.h"

namespace minik::sim {

namespace {
// From its first look at a lease that somebody else holds: client-go counts the 15 s of a lease from there, and looks every
// 2 to 4.4 s. kube-controller-manager does not release its lease when it ends.
const Distribution kTakesLease{seconds(15), seconds(18)};
}

std::vector<Component> SimulatedCluster::components() const {
  std::vector<Component> all;
  for (const auto& [component, p] : parts_) all.push_back(component);
  return all;
}

void SimulatedCluster::set_apart(const Component& component) {
  if (parts_.contains(component)) return;
  parts_.emplace(component, rng_.fork(cat("crashes of ", component.name)));
  if (!running(Component::kControllers)) return;
  restart(Component::kControllers);
  restart(component);
}

void SimulatedCluster::Process::stop() {
  scheduler.reset();
  events.reset();
  informers.reset();
  manager.reset();
  client.reset();
}

void SimulatedCluster::stop(const Component& component) {
  disturb();
  Part& p = part(component);
  p.process.stop();
  p.comes_back = false;
  ++p.lives;
}

void SimulatedCluster::restart(const Component& component) {
  stop(component);
  Process& process = part(component).process;
  if (component.is_scheduler()) {
    start_scheduler(process);
  } else {
    start_controllers(component, process);
  }
}

void SimulatedCluster::replace(const Component& component) {
  if (component.is_scheduler()) return restart(component);
  stop(component);
  await_lease(component);
}

void SimulatedCluster::await_lease(const Component& component) {
  Part& p = part(component);
  p.comes_back = true;
  const Duration wait = options_.leads_at_once ? Duration{} : kTakesLease.draw(p.crash_rng);
  executor_.after(wait, [this, component, life = p.lives] {
    if (life == part(component).lives) restart(component);
  });
}

bool SimulatedCluster::running(const Component& component) const { return parts_.at(component).process.client != nullptr; }

void SimulatedCluster::start_controllers(const Component& component, Process& process) {
  process.client = make_client(component.user(), executor_);
  trouble(component, *process.client);
  control::ControllerManagerOptions options;
  if (component.is_single_controller()) {
    options.runs = [name = component.name](std::string_view controller) { return controller == name; };
  } else if (parts_.size() > 2) {
    options.runs = [this](std::string_view controller) { return !parts_.contains(Component{std::string(controller)}); };
  }
  options.node_lifecycle.grace_period = options_.node_grace;
  if (options_.nodes_rest) options.node_lifecycle.spoke_at = [this](const std::string& node) { return spoke_at(node); };
  options.cluster_ca_pem = "simulated";
  // What is asked for, in the place of a signature: the certificate of one request is always the same.
  options.sign_certificate = [](const control::CertificateOrder& order) -> Result<std::string> {
    return cat("simulated certificate for ", order.request_pem);
  };
  options.sign_secret_token = [](const control::SecretTokenOrder& order) -> Result<std::string> {
    return cat("simulated-token-of-", order.namespace_, "-", order.account, "-in-", order.secret);
  };
  // A simulated directory is gone as soon as its machine is there to say so.
  options.remove_volume_directory = [this](const std::string& node, const std::string&,
                                           std::function<void(Status)> done) {
    executor_.after(options_.delays.request_max, [this, node, done = std::move(done)] {
      const bool there = machines_.contains(node) && kubelet_running(node);
      done(there ? Status() : Status(Error(ErrorCode::kServiceUnavailable, cat("node ", quoted(node), " is down"))));
    });
  };
  const Rng rng = rng_.fork(cat("controllers/", lives_));
  process.manager = std::make_unique<control::ControllerManager>(schema(), executor_, *process.client, metrics_, rng, options);
  process.manager->start();
}

void SimulatedCluster::start_scheduler(Process& process) {
  process.client = make_client(Component::kScheduler.user(), executor_);
  trouble(Component::kScheduler, *process.client);
  const Rng rng = rng_.fork(cat("scheduler/", lives_));
  process.informers = std::make_unique<control::InformerSet>(executor_, *process.client, rng.fork("informers"));
  process.events = std::make_unique<control::EventRecorder>(executor_, *process.client, control::kinds::kEvents,
                                                            "default-scheduler", "", rng.fork("events"));
  process.scheduler = std::make_unique<control::Scheduler>(executor_, *process.client, *process.informers,
                                                           *process.events, metrics_, rng);
  process.scheduler->start();
  process.informers->start();
}

void SimulatedCluster::add_leader(const Component& component) {
  Part& p = part(component);
  if (p.has_ended) return;  // nobody leads beside whom another could
  end_old_leader(component);
  p.old = std::move(p.process);
  LinkFaults held;
  held.hold_all_requests = true;
  if (p.old.client) p.old.client->set_faults(held);
  restart(component);
}

void SimulatedCluster::end_leader(const Component& component) {
  Part& p = part(component);
  if (p.has_ended) return;
  end_old_leader(component);
  auto client = std::move(p.process.client);
  stop(component);
  if (client) client->end_watches();
  p.old.client = std::move(client);
  p.has_ended = true;
}

void SimulatedCluster::release_old_leader(const Component& component) {
  if (std::exchange(part(component).has_ended, false)) end_old_leader(component);
}

// The old process dies, and what it had written is still on its way. What one without its lease had sent stays where it
// is until the link is well again.
void SimulatedCluster::end_old_leader(const Component& component) {
  if (part(component).has_ended) return;
  disturb();
  Process& old = part(component).old;
  if (old.client) old.client->abandon();
  old.stop();
}

void SimulatedCluster::set_faults(const Component& component, ComponentFaults faults) {
  disturb();
  Part& p = part(component);
  p.faults = std::move(faults);
  if (p.process.client) trouble(component, *p.process.client);
}

void SimulatedCluster::trouble(const Component& component, SimulatedClient& client) {
  Part& p = part(component);
  client.set_faults(p.faults.link);
  watch_client(client, component.user());
  if (p.faults.crash_at_write == 0 && !request_watch_.leaves) return;
  client.on_send([this, component, life = p.lives](const control::ApiRequest& request) {
    if (!is_write(request.verb)) return true;
    Part& mine = part(component);
    if (mine.faults.crash_at_write > 0 && mine.crash_rng.chance_ppm(mine.faults.crash_at_write)) {
      // As long as the write and its answer are on their way: the crash falls before, between or after.
      const Duration round_trip = options_.delays.request_max * 3;
      executor_.after(mine.crash_rng.between(Duration{}, round_trip), [this, component, life] {
        if (life == part(component).lives && running(component)) crash(component);
      });
    }
    return !request_watch_.leaves || request_watch_.leaves(component.user(), request);
  });
}

void SimulatedCluster::crash(const Component& component) {
  Part& p = part(component);
  ++p.crashes;
  stop(component);
  p.comes_back = true;
  executor_.after(p.faults.down.draw(p.crash_rng), [this, component, life = p.lives] {
    if (life == part(component).lives) await_lease(component);
  });
}

}  // namespace minik::sim
