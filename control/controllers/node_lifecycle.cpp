#include "control/controllers/node_lifecycle.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kByNode = "node";
constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";
constexpr std::string_view kLeaseNamespace = "kube-node-lease";
constexpr Duration kOrphanPods = seconds(40);  // a node that is gone may have been re-created meanwhile

bool is_taint(const Value& taint, std::string_view key, std::string_view effect) {
  return taint[keys::kKey].as_string() == key && taint[keys::kEffect].as_string() == effect;
}

}  // namespace

struct NodeLifecycle::Impl : std::enable_shared_from_this<Impl> {
  struct Seen {
    std::string renewed;
    std::string heartbeat;
    Instant at;
  };
  struct Zone {
    int64_t nodes = 0, silent = 0;
    Instant next_eviction;
  };

  Impl(Executor& e, Client& c, InformerSet& i, EventRecorder& r, NodeLifecycleOptions o)
      : executor(e), client(c), informers(i), events(r), options(o), timer(e) {}

  const ObjectCache& cache(KindId kind) const { return informers.find(kind)->cache(); }

  static std::string zone_of(const Value& node) {
    const Value& labels = node[keys::kMetadata][keys::kLabels];
    return cat(labels.get("topology.kubernetes.io/region").as_string(), ":",
               labels.get("topology.kubernetes.io/zone").as_string());
  }

  void tick() {
    timer.arm(options.monitor_period, [this] { tick(); });
    const Instant now = executor.now();
    for (auto& [name, zone] : zones) zone.nodes = zone.silent = 0;
    std::vector<std::pair<Value, bool>> nodes;
    for (const auto& node : cache(kinds::kNodes).list()) {
      const bool alive = has_spoken(node, now);
      auto& zone = zones[zone_of(node)];
      ++zone.nodes;
      const bool ready = alive && is_condition_true(node, "Ready");
      if (!ready) ++zone.silent;
      nodes.emplace_back(node, alive);
    }
    std::erase_if(zones, [](const auto& entry) { return entry.second.nodes == 0; });
    const bool all_dark = !zones.empty() && std::ranges::all_of(zones, [](const auto& entry) {
      return entry.second.silent == entry.second.nodes;
    });
    for (const auto& [node, alive] : nodes) judge(node, alive, all_dark, now);
    collect_orphan_pods(now);
  }

  bool has_spoken(const Value& node, Instant now) {
    const std::string name(object_name(node));
    const Value& lease = cache(kinds::kLeases).find(kLeaseNamespace, name);
    const std::string renewed = lease[keys::kSpec][keys::kRenewTime].string();
    const std::string heartbeat = condition(node, "Ready")[keys::kLastHeartbeatTime].string();
    auto [entry, fresh] = seen.try_emplace(name, Seen{renewed, heartbeat, now});
    Seen& s = entry->second;
    // Own condition updates keep the heartbeat, so a change is always the node's own word.
    if (!fresh && (s.renewed != renewed || s.heartbeat != heartbeat)) s = {renewed, heartbeat, now};
    return now - s.at <= options.grace_period;
  }

  void judge(const Value& node, bool alive, bool all_dark, Instant now) {
    const Value& ready = condition(node, "Ready");
    const auto status = ready[keys::kStatus].as_string();
    if (!alive && status != "Unknown") {
      mark_unknown(node);
      return;  // taints follow when the change has come back
    }
    const std::string_view wanted = status == "True" ? "" : status == "Unknown" ? kUnreachable : kNotReady;
    bool evict = false;
    if (!wanted.empty()) evict = has_taint(node, wanted, "NoExecute") || may_evict(node, all_dark, now);
    const Value taints = with_taints(node, wanted, evict);
    if (!(taints == node[keys::kSpec][keys::kTaints])) {
      Plan plan;
      Value next = node.with_at({keys::kSpec, keys::kTaints}, taints);
      send(plan.update(kinds::kNodes, std::move(next)));
    }
    if (status != "True" && ready.has_value()) mark_pods_not_ready(node);
  }

  static bool has_taint(const Value& node, std::string_view key, std::string_view effect) {
    return std::ranges::any_of(node[keys::kSpec][keys::kTaints].items(),
                               [&](const Value& t) { return is_taint(t, key, effect); });
  }

  Value with_taints(const Value& node, std::string_view wanted, bool evict) const {
    std::vector<Value> taints;
    bool scheduled_taint = false, execute_taint = false;
    for (const auto& taint : node[keys::kSpec][keys::kTaints].items()) {
      const auto key = taint[keys::kKey].as_string();
      if (key == kNotReady || key == kUnreachable) {
        if (key != wanted) continue;
        scheduled_taint |= is_taint(taint, wanted, "NoSchedule");
        execute_taint |= is_taint(taint, wanted, "NoExecute");
      }
      taints.push_back(taint);
    }
    const auto add = [&](std::string_view effect) {
      taints.push_back(Value::map({{keys::kKey, wanted},
                                   {keys::kEffect, effect},
                                   {keys::kTimeAdded, format_time(executor.wall_now())}}));
    };
    if (!wanted.empty() && !scheduled_taint) add("NoSchedule");
    if (!wanted.empty() && evict && !execute_taint) add("NoExecute");
    return taints.empty() ? Value() : Value::array(std::move(taints));
  }

  bool may_evict(const Value& node, bool all_dark, Instant now) {
    if (all_dark) return false;
    Zone& zone = zones[zone_of(node)];
    int64_t rate = options.eviction_rate_per_1000_s;
    const bool dark = zone.silent == zone.nodes;
    const bool unhealthy = zone.silent > 2 && zone.silent * 100 >= zone.nodes * options.unhealthy_zone_percent;
    if (unhealthy && !dark) rate = zone.nodes > options.large_zone_nodes ? options.secondary_rate_per_1000_s : 0;
    if (rate == 0 || now < zone.next_eviction) return false;
    zone.next_eviction = now + seconds(1000) / rate;
    return true;
  }

  void mark_unknown(const Value& node) {
    Value next = node;
    for (const std::string_view type : {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"}) {
      const Value& old = condition(node, type);
      next = with_condition(next,
                            Value::map({{keys::kType, type},
                                        {keys::kStatus, "Unknown"},
                                        {keys::kReason, "NodeStatusUnknown"},
                                        {keys::kMessage, "Kubelet stopped posting node status."},
                                        {keys::kLastHeartbeatTime, old[keys::kLastHeartbeatTime]}}),
                            executor.wall_now());
    }
    events.record({typed(node, "v1", "Node"), "Normal", "NodeNotReady",
                   cat("Node ", object_name(node), " status is now: NodeNotReady")});
    Plan plan;
    send(plan.update_status(kinds::kNodes, std::move(next)));
  }

  void mark_pods_not_ready(const Value& node) {
    for (const auto& pod : cache(kinds::kPods).indexed(kByNode, object_name(node))) {
      if (!is_pod_ready(pod)) continue;
      const Value& old = condition(pod, "Ready");
      Plan plan;
      send(plan.update_status(kinds::kPods,
                              with_condition(pod, old.with(keys::kStatus, "False"), executor.wall_now())));
    }
  }

  void collect_orphan_pods(Instant now) {
    cache(kinds::kPods).for_each([&](const Value& pod) {
      const auto node = pod[keys::kSpec][keys::kNodeName].as_string();
      if (node.empty() || cache(kinds::kNodes).find("", node).has_value()) return;
      orphans.try_emplace(key_of(pod), now);
    });
    for (auto orphan = orphans.begin(); orphan != orphans.end();) {
      const Value& pod = cache(kinds::kPods).find(orphan->first.namespace_, orphan->first.name);
      const auto node = pod[keys::kSpec][keys::kNodeName].as_string();
      if (!pod.has_value() || cache(kinds::kNodes).find("", node).has_value()) {
        orphan = orphans.erase(orphan);
        continue;
      }
      if (now - orphan->second >= kOrphanPods) {
        Plan plan;
        auto& write = plan.remove(kinds::kPods, pod);
        write.request.options.grace_period_seconds = 0;
        send(write);
      }
      ++orphan;
    }
  }

  // Every write is judged again at the next tick, so an answer changes nothing here.
  void send(PlannedWrite& write) {
    client.send(std::move(write.request), [](const Result<ApiResponse>&) {});
  }

  Executor& executor;
  Client& client;
  InformerSet& informers;
  EventRecorder& events;
  NodeLifecycleOptions options;
  std::map<std::string, Seen> seen;
  std::map<std::string, Zone> zones;
  std::map<ObjectKey, Instant> orphans;
  ScopedTimer timer;
};

NodeLifecycle::NodeLifecycle(Executor& executor, Client& client, InformerSet& informers, EventRecorder& events,
                             NodeLifecycleOptions options)
    : impl_(std::make_shared<Impl>(executor, client, informers, events, options)) {
  for (const KindId kind : {kinds::kNodes, kinds::kLeases, kinds::kPods}) informers.of(kind);
  informers.of(kinds::kPods).cache().add_index(kByNode, [](const Value& pod, std::vector<Key>& out) {
    const Value& node = pod[keys::kSpec][keys::kNodeName];
    if (node.is_string() && !node.as_string().empty()) out.emplace_back(node);
  });
  // A node that says itself that it is ready again should not wait for the next tick.
  informers.of(kinds::kNodes).subscribe([weak = std::weak_ptr(impl_)](const Value& before, const Value& after) {
    const auto impl = weak.lock();
    if (!impl || !impl->timer.armed() || !before.has_value() || !after.has_value()) return;
    if (condition(before, "Ready")[keys::kStatus] == condition(after, "Ready")[keys::kStatus]) return;
    impl->timer.arm(Duration{}, [raw = impl.get()] { raw->tick(); });
  });
}

NodeLifecycle::~NodeLifecycle() = default;

void NodeLifecycle::start() {
  impl_->informers.when_synced([weak = std::weak_ptr(impl_)] {
    if (const auto impl = weak.lock()) impl->tick();
  });
}

}  // namespace minik::control
