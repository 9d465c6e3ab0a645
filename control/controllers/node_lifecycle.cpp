#include "control/controllers/node_lifecycle.h"

#include <algorithm>
#include <map>
#include <optional>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kLeaseNamespace = "kube-node-lease";
// A node that is older when it is first seen was registered before a restart.
constexpr Duration kNewNode = minutes(1);

}  // namespace

struct NodeLifecycle::Impl : std::enable_shared_from_this<Impl> {
  struct Zone {
    int64_t nodes = 0, silent = 0;
    Instant next_eviction;
    std::optional<std::pair<int64_t, int64_t>> shown;  // nodes and silent ones, as the metrics have them
  };
  // Kept up by what the informers tell, so that a look at a node that is well costs next to nothing.
  struct Known {
    Value node;
    Instant spoke;  // when its Lease or its heartbeat last changed
    Zone* zone = nullptr;
    bool ready = false;  // by its own word
    bool calm = false;   // judged as it is now, with nothing to do or to wait for
  };

  Impl(Executor& e, Client& c, InformerSet& i, EventRecorder& r, MetricRegistry& m, NodeLifecycleOptions o)
      : executor(e), client(c), informers(i), events(r), metrics(m), options(o), timer(e) {}

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
    for (auto& [name, known] : nodes) {
      ++known.zone->nodes;
      if (options.spoke_at && !is_alive(known, now)) known.spoke = std::max(known.spoke, options.spoke_at(name));
      if (!known.ready || !is_alive(known, now)) ++known.zone->silent;
    }
    std::erase_if(zones, [](const auto& entry) { return entry.second.nodes == 0; });
    const bool all_dark = !zones.empty() && std::ranges::all_of(zones, [](const auto& entry) {
      return entry.second.silent == entry.second.nodes;
    });
    for (auto& [name, zone] : zones) show(name, zone);
    for (auto& [name, known] : nodes) {
      const bool alive = is_alive(known, now);
      if (!alive || !known.calm) known.calm = judge(known.node, alive, all_dark, now);
    }
  }

  bool is_alive(const Known& known, Instant now) const { return now - known.spoke <= options.grace_period; }

  void show(const std::string& name, Zone& zone) {
    const auto counts = std::make_pair(zone.nodes, zone.silent);
    if (zone.shown == counts) return;
    zone.shown = counts;
    const MetricLabels labels{{"zone", name}};
    metrics.gauge("node_collector_zone_size", "Nodes of a zone.", labels).set(zone.nodes);
    metrics.gauge("node_collector_unhealthy_nodes_in_zone", "Nodes of a zone that are not ready.", labels)
        .set(zone.silent);
    metrics.gauge("node_collector_zone_health", "Ready nodes of a zone, in percent.", labels)
        .set((zone.nodes - zone.silent) * 100 / zone.nodes);
  }

  void on_node(const Value& before, const Value& after) {
    if (!after.has_value()) {
      const auto gone = nodes.find(object_name(before));
      if (gone == nodes.end()) return;
      nodes.erase(gone);
      tell(before, "RemovingNode", "Removing Node ", " from Controller");
      return;
    }
    auto [entry, fresh] = nodes.try_emplace(std::string(object_name(after)));
    Known& known = entry->second;
    // Own condition updates keep the heartbeat, so a change is always the node's own word.
    const auto heartbeat = [](const Value& node) { return condition(node, "Ready")[keys::kLastHeartbeatTime]; };
    if (fresh || !(heartbeat(before) == heartbeat(after))) known.spoke = executor.now();
    known.node = after;
    known.zone = &zones[zone_of(after)];
    known.ready = is_condition_true(after, "Ready");
    known.calm = false;
    const auto created = time_of(after[keys::kMetadata][keys::kCreationTimestamp]);
    if (fresh && created && executor.wall_now() - *created < kNewNode) {
      tell(after, "RegisteredNode", "Registered Node ", " in Controller");
    }
  }

  void tell(const Value& node, const char* reason, const char* before_name, const char* after_name) {
    const auto name = object_name(node);
    events.record({typed(node, "v1", "Node"), "Normal", reason,
                   cat("Node ", name, " event: ", before_name, name, after_name)});
  }

  void on_lease(const Value& before, const Value& after) {
    if (object_namespace(after) != kLeaseNamespace) return;
    if (before[keys::kSpec][keys::kRenewTime] == after[keys::kSpec][keys::kRenewTime]) return;
    const auto known = nodes.find(object_name(after));
    if (known != nodes.end()) known->second.spoke = executor.now();
  }

  // True when nothing was done and nothing is to be waited for.
  bool judge(const Value& node, bool alive, bool all_dark, Instant now) {
    const Value& ready = condition(node, "Ready");
    const auto status = ready[keys::kStatus].as_string();
    if (!alive && status != "Unknown") {
      mark_unknown(node);
      return false;  // taints follow when the change has come back
    }
    const std::string_view wanted = absence_taint(node);
    // While everything is dark it is rather this side that is cut off: what was begun is taken back too.
    const bool evict = !wanted.empty() && !all_dark &&
                       (has_taint(node, wanted, "NoExecute") || may_evict(node, now));
    const Value taints = judged_taints(node, evict ? Evicting::kYes : Evicting::kNo, executor.wall_now());
    const bool tainted = taints == node[keys::kSpec][keys::kTaints];
    if (!tainted) {
      Plan plan;
      Value next = node.with_at({keys::kSpec, keys::kTaints}, taints);
      send(plan.update(kinds::kNodes, std::move(next)));
    }
    if (status != "True" && ready.has_value()) mark_pods_not_ready(node);
    return status == "True" && tainted;
  }

  bool may_evict(const Value& node, Instant now) {
    Zone& zone = zones[zone_of(node)];
    const auto pace = eviction_pace(zone.nodes, zone.silent, options);
    if (!pace || now < zone.next_eviction) return false;
    zone.next_eviction = now + *pace;
    metrics.counter("node_collector_evictions_total", "Nodes whose pods were told to go.", {{"zone", zone_of(node)}})
        .add();
    return true;
  }

  void mark_unknown(const Value& node) {
    // What it said itself before it fell silent is no news.
    if (is_condition_true(node, "Ready")) {
      events.record({typed(node, "v1", "Node"), "Normal", "NodeNotReady",
                     cat("Node ", object_name(node), " status is now: NodeNotReady")});
    }
    Plan plan;
    send(plan.update_status(kinds::kNodes, silent_node(node, executor.wall_now())));
  }

  void mark_pods_not_ready(const Value& node) {
    for (const auto& pod : cache(kinds::kPods).indexed(kPodsByNode, object_name(node))) {
      if (!is_pod_ready(pod)) continue;
      events.record({typed(pod, "v1", "Pod"), "Warning", "NodeNotReady", "Node is not ready"});
      const Value& old = condition(pod, "Ready");
      Plan plan;
      send(plan.update_status(kinds::kPods, with_condition(pod, old.with(keys::kStatus, "False"),
                                                           executor.wall_now())));
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
  MetricRegistry& metrics;
  NodeLifecycleOptions options;
  std::map<std::string, Zone> zones;
  std::map<std::string, Known, std::less<>> nodes;
  ScopedTimer timer;
};

NodeLifecycle::NodeLifecycle(Executor& executor, Client& client, InformerSet& informers,
                             EventRecorder& events, MetricRegistry& metrics,
                             NodeLifecycleOptions options)
    : impl_(std::make_shared<Impl>(executor, client, informers, events, metrics, options)) {
  for (const KindId kind : {kinds::kNodes, kinds::kLeases, kinds::kPods}) informers.of(kind);
  informers.of(kinds::kPods)
      .cache()
      .add_index(kPodsByNode, [](const Value& pod, std::vector<Key>& out) {
        const Value& node = pod[keys::kSpec][keys::kNodeName];
        if (node.is_string() && !node.as_string().empty()) out.emplace_back(node);
      });
  informers.of(kinds::kLeases)
      .subscribe([weak = std::weak_ptr(impl_)](const Value& before, const Value& after) {
        if (const auto impl = weak.lock()) impl->on_lease(before, after);
      });
  // What a node says itself should not wait for the next tick: that it is ready again, or that it can take no more pods.
  informers.of(kinds::kNodes)
      .subscribe([weak = std::weak_ptr(impl_)](const Value& before, const Value& after) {
        const auto impl = weak.lock();
        if (!impl) return;
        impl->on_node(before, after);
        if (!impl->timer.armed() || !before.has_value() || !after.has_value()) return;
        const auto says_the_same = [&](std::string_view type) {
          return condition(before, type)[keys::kStatus] == condition(after, type)[keys::kStatus];
        };
        if (std::ranges::all_of(kOwnConditions, says_the_same)) return;
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
