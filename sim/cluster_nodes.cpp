// The machines of a simulated cluster.
#include <algorithm>
#include <utility>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "sim/cluster.h"

namespace minik::sim {

namespace {
constexpr std::string_view kZoneLabel = "topology.kubernetes.io/zone";

// A machine that is asked for more than it has runs for a turn, and stands still for as many more as are asked for.
constexpr Duration kTurn = seconds(5), kStandstillMax = minutes(5);

// Who hears nothing for half a minute and no answer to a ping for a quarter takes the connection for dead.
constexpr Duration kDeadConnection = seconds(45);
}

void SimulatedCluster::add_machines() {
  uint32_t index = 0;
  for (const auto& pool : options_.pools) {
    Rng skews = rng_.fork(cat("clocks/", pool.name));
    for (int64_t i = 0; i < pool.count; ++i, ++index) {
      Machine m;
      m.pool = &pool;
      m.config.node_name = node_name(pool, i);
      m.config.labels = pool.labels;
      if (!pool.zones.empty()) {
        m.zone = pool.zones[static_cast<size_t>(i) % pool.zones.size()];
        m.config.labels[std::string(kZoneLabel)] = m.zone;
      }
      m.config.taints = pool.taints;
      m.config.milli_cpu = pool.milli_cpu;
      m.config.memory_bytes = pool.memory_bytes;
      m.config.pods_max = pool.pods_max;
      m.config.ephemeral_bytes = pool.disk_bytes;
      m.config.eviction.thresholds = pool.eviction_hard;
      m.config.eviction.goes_on = [this, name = m.config.node_name,
                                   fills = surroundings_.writes || pool.disk_bytes != NodePool().disk_bytes] {
        return fills || machine(name).runtime->memory_moves();
      };
      m.config.addresses = {format_ipv4((172U << 24) + (16U << 16) + index + 2)};
      m.network = (10U << 24) + (index << 8);
      m.config.pod_cidr = cat(format_ipv4(m.network), "/24");
      m.executor = std::make_unique<MachineExecutor>(executor_, pool.clock_skew.draw(skews));
      if (options_.nodes_rest) m.config.may_rest = [this] { return may_rest(); };
      by_network_[m.network] = m.config.node_name;
      machines_.emplace(m.config.node_name, std::move(m));
    }
  }
}

// The API server asks a node agent: a way there, and the answer's way back.
void SimulatedCluster::ask_usage(const std::string& node, control::UsageCallback done) {
  const auto reach = [this, node]() -> control::Kubelet* {
    const auto found = machines_.find(node);
    const bool there = found != machines_.end() && found->second.client && found->second.client->connected() &&
                       !found->second.executor->frozen() && !found->second.faults.cut_answers &&
                       !found->second.faults.cut_requests;
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

bool SimulatedCluster::reaches(const std::string& address) {
  uint32_t ip = 0;
  const auto found = parse_ipv4(address, ip) ? by_network_.find(ip & ~255U) : by_network_.end();
  if (found == by_network_.end()) return true;  // outside of the cluster
  const Machine& m = machines_.at(found->second);
  return m.runtime && m.connected && !m.executor->frozen() && !m.faults.cut_answers && !m.faults.cut_requests;
}

void SimulatedCluster::boot(Machine& m) {
  ++m.lives;
  m.config.node_info = control::Value::map({{control::keys::kBootID, rng_.fork(cat("boot-id/", m.config.node_name, "/", m.lives)).uuid()}});
  m.runtime = std::move(m.off);
  if (!m.runtime) {
    m.runtime = std::make_unique<SimulatedRuntime>(*m.executor, rng_.fork(cat("runtime/", m.config.node_name, "/", m.lives)), surroundings_,
                                                   m.config.node_name, m.network);
  }
  m.runtime->set_slowness(m.slowness);
  m.runtime->set_disk_slowness(m.disk_slowness);
  m.runtime->set_disk_capacity(m.config.ephemeral_bytes);
  m.runtime->set_disk_full(m.disk_full);
  m.runtime->set_cpu_capacity(m.config.milli_cpu);
  m.runtime->set_memory_capacity(m.config.memory_bytes);
  m.runtime->on_memory_used([this, name = m.config.node_name] {
    if (const auto& kubelet = machine(name).kubelet) kubelet->look_at_resources_soon();
  });
  if (surroundings_.wants_cpu) {
    m.milli_cpu_wanted = 0;
    m.runtime->on_cpu_wanted([this, name = m.config.node_name](int64_t wanted) {
      Machine& of_it = machines_.at(name);
      of_it.milli_cpu_wanted = wanted;
      if (std::exchange(of_it.starves, wanted > of_it.config.milli_cpu) || !of_it.starves) return;
      executor_.after(kTurn, [this, name, life = of_it.lives] { take_turns(name, life); });
    });
  }
  start_kubelet(m);
}

// Whether everything on it stands still or has its turn. A program that wants the processors of ten machines leaves the
// node agent a tenth of its time.
void SimulatedCluster::take_turns(const std::string& name, uint64_t life) {
  Machine& m = machine(name);
  if (m.lives != life || !m.runtime) return;
  const int64_t missing = m.milli_cpu_wanted - m.config.milli_cpu;
  m.starves = missing > 0;
  m.stands_still = m.starves && !m.stands_still;
  settle_frozen(m);
  if (!m.starves) return;
  const Duration standstill = std::min(Duration{kTurn.ns / m.config.milli_cpu * missing}, kStandstillMax);
  executor_.after(m.stands_still ? standstill : kTurn, [this, name, life] { take_turns(name, life); });
}

std::vector<SimulatedClient*> SimulatedCluster::clients_of(Machine& m) {
  std::vector<SimulatedClient*> clients;
  for (const auto* client : {&m.client, &m.pods_client}) {
    if (*client) clients.push_back(client->get());
  }
  return clients;
}

void SimulatedCluster::start_kubelet(Machine& m) {
  end_kubelet(m);
  m.client = make_client(cat("system:node:", m.config.node_name), *m.executor);
  m.client->set_connected(m.connected);
  if (m.faults.any()) m.client->set_faults(m.faults);
  m.kubelet = std::make_unique<control::Kubelet>(m.config, *m.executor, *m.client, *m.runtime, nullptr,
                                                 rng_.fork(cat("kubelet/", m.config.node_name, "/", lives_)));
  if (m.disk_full) m.kubelet->look_at_resources();
  if (surroundings_.uses_memory) m.kubelet->look_at_resources_soon();
  // Machines do not boot in the same instant, and their heartbeats stay apart because of it.
  m.executor->after(rng_.fork(cat("boot/", m.config.node_name, "/", lives_)).between(Duration{}, seconds(1)),
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

const NodePool& SimulatedCluster::pool_of(const std::string& name) const { return *machines_.at(name).pool; }

std::string SimulatedCluster::zone_of(const std::string& name) const {
  const Machine& m = machines_.at(name);
  const auto label = m.config.labels.find(std::string(kZoneLabel));
  return label == m.config.labels.end() ? m.zone : label->second;
}

bool SimulatedCluster::node_running(const std::string& name) const {
  const auto found = machines_.find(name);
  return found != machines_.end() && found->second.runtime != nullptr;
}

bool SimulatedCluster::kubelet_running(const std::string& name) const {
  const auto found = machines_.find(name);
  return found != machines_.end() && found->second.kubelet != nullptr;
}

void SimulatedCluster::crash_node(const std::string& name) {
  disturb();
  Machine& m = machine(name);
  end_kubelet(m);
  m.client.reset();
  m.pods_client.reset();
  if (m.runtime) {
    m.runtime->power_off();
    m.off = std::move(m.runtime);
  }
  m.starves = m.stands_still = false;
  settle_frozen(m);
}

void SimulatedCluster::wipe_disk(const std::string& name) { machine(name).off.reset(); }

void SimulatedCluster::start_node(const std::string& name) {
  disturb();
  Machine& m = machine(name);
  if (!m.runtime) boot(m);
}

void SimulatedCluster::set_node_connected(const std::string& name, bool connected) {
  disturb();
  Machine& m = machine(name);
  if (m.connected == connected) return;
  m.connected = connected;
  for (auto* client : clients_of(m)) client->set_connected(connected);
}

void SimulatedCluster::set_node_faults(const std::string& name, const LinkFaults& faults) {
  disturb();
  Machine& m = machine(name);
  m.faults = faults;
  for (auto* client : clients_of(m)) client->set_faults(faults);
}

void SimulatedCluster::set_node_frozen(const std::string& name, bool frozen) {
  Machine& m = machine(name);
  m.frozen = frozen;
  settle_frozen(m);
}

void SimulatedCluster::settle_frozen(Machine& m) {
  const bool frozen = m.frozen || m.stands_still;
  if (m.executor->frozen() == frozen) return;
  disturb();
  m.executor->set_frozen(frozen);
  if (frozen) {
    m.frozen_since = executor_.now();
  } else if (executor_.now() - m.frozen_since >= kDeadConnection) {
    for (auto* client : clients_of(m)) client->end_watches();
  }
}

void SimulatedCluster::jump_clock(const std::string& name, Duration by) {
  disturb();
  machine(name).executor->jump(by);
}

void SimulatedCluster::stop_kubelet(const std::string& name) {
  disturb();
  Machine& m = machine(name);
  end_kubelet(m);
  m.client.reset();
}

void SimulatedCluster::restart_kubelet(const std::string& name) {
  disturb();
  Machine& m = machine(name);
  if (m.runtime) start_kubelet(m);
}

void SimulatedCluster::set_node_slowness(const std::string& name, int64_t factor) {
  disturb();
  Machine& m = machine(name);
  m.slowness = factor;
  if (m.runtime) m.runtime->set_slowness(factor);
}

void SimulatedCluster::set_disk(const std::string& name, bool full, int64_t slowness) {
  disturb();
  Machine& m = machine(name);
  const bool changed = std::exchange(m.disk_full, full) != full;
  m.disk_slowness = slowness;
  if (m.runtime) {
    m.runtime->set_disk_full(full);
    m.runtime->set_disk_slowness(slowness);
  }
  if (m.kubelet && changed) m.kubelet->look_at_resources();
}

void SimulatedCluster::set_node_labels(const std::string& name, const std::map<std::string, std::string>& labels) {
  Machine& m = machine(name);
  m.config.labels = labels;
  if (!m.zone.empty()) m.config.labels[std::string(kZoneLabel)] = m.zone;
}

SimulatedRuntime* SimulatedCluster::runtime(const std::string& name) { return machine(name).runtime.get(); }

}  // namespace minik::sim
