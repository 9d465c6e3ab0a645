#include "sim/fault_injector.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

// As long as a leader's lease runs after its last renewal.
constexpr Duration kLease = seconds(15);

constexpr Duration kLookAtQuotas = seconds(1);

template <typename T>
std::vector<T> draw(std::vector<T> candidates, int64_t count, Rng& rng) {
  std::vector<T> chosen;
  for (int64_t i = 0; i < count && !candidates.empty(); ++i) {
    const size_t pick = rng.below(candidates.size());
    chosen.push_back(candidates[pick]);
    candidates.erase(candidates.begin() + static_cast<ptrdiff_t>(pick));
  }
  std::ranges::sort(chosen);
  return chosen;
}

bool is_on(const NodeFault& fault, NodeFault::What what) { return fault.what == what; }

}  // namespace

Value exhausted_quota(const std::string& namespace_, const std::set<std::string>& resources) {
  std::vector<control::MapEntry> hard;
  for (const auto& resource : resources) hard.push_back({control::Key(resource), "0"});
  return Value::map({{keys::kApiVersion, "v1"},
                     {keys::kKind, "ResourceQuota"},
                     {keys::kMetadata, Value::map({{keys::kName, kExhaustedQuota}, {keys::kNamespace, namespace_}})},
                     {keys::kSpec, Value::map({{"hard", Value::map(std::move(hard))}})}});
}

Result<std::vector<std::string>> choose_nodes(const SimulatedCluster& cluster, const NodeChoice& choice, Rng& rng,
                                              const std::function<bool(const std::string&)>& candidate) {
  std::vector<std::string> chosen;
  for (const auto& name : choice.names) {
    if (!cluster.has_node(name)) return Error(ErrorCode::kNotFound, cat("there is no node ", name));
  }
  std::set<std::string, std::less<>> running;
  if (choice.runs) {
    cluster.store().for_each(control::kinds::kPods, [&](const Value& pod) {
      const auto node = pod[keys::kSpec][keys::kNodeName].as_string();
      if (control::is_pod_active(pod) && choice.runs->matches(pod[keys::kMetadata][keys::kLabels])) running.emplace(node);
    });
  }
  for (const auto& name : choice.names.empty() ? cluster.node_names() : choice.names) {
    if (choice.runs && !running.contains(name)) continue;
    if (!choice.pool.empty() && cluster.pool_of(name).name != choice.pool) continue;
    if (!choice.zone.empty() && cluster.zone_of(name) != choice.zone) continue;
    if (choice.names.empty() && !candidate(name)) continue;
    chosen.push_back(name);
  }
  return choice.count > 0 ? draw(std::move(chosen), choice.count, rng) : chosen;
}

template <typename Kind, typename Visit>
void FaultInjector::each(Visit visit) const {
  for (const auto& [id, active] : active_) {
    if (const auto* kind = std::get_if<Kind>(&active.fault.kind)) visit(*kind, active);
  }
}

void FaultInjector::refuse(const Active& active, const std::string& why) { listener_.failed(active.fault.text, why); }

FaultInjector::Id FaultInjector::begin(const Fault& fault) {
  cluster_.disturb();
  const Id id = next_++;
  Active active{fault, {}, {}, cluster_.executor().now()};
  if (!std::visit([&](const auto& kind) { return strike(kind, active); }, fault.kind)) return 0;
  const auto& stored = active_.emplace(id, std::move(active)).first->second;
  settle(stored);
  if (stored.fault.lasts) {
    cluster_.executor().after(stored.fault.lasts->draw(rng_), [this, id] { end(id); });
  }
  return id;
}

void FaultInjector::end(Id id) {
  const auto found = active_.find(id);
  if (found == active_.end()) return;
  cluster_.disturb();
  const Active over = std::move(found->second);
  active_.erase(found);
  listener_.note(cat("end of ", over.fault.text));
  if (const auto* component = std::get_if<ComponentFault>(&over.fault.kind)) {
    if (component->what == ComponentFault::What::kTwoLeaders) {
      for (const auto& each_of : cluster_.components()) {
        if (component->component.includes(each_of)) cluster_.end_old_leader(each_of);
      }
    }
  }
  settle(over);
}

void FaultInjector::end_all() {
  while (!active_.empty()) end(active_.begin()->first);
}

namespace {
void take_out(std::vector<std::string>& nodes, const std::vector<std::string>& names) {
  std::erase_if(nodes, [&](const std::string& node) { return std::ranges::find(names, node) != names.end(); });
}
}  // namespace

void FaultInjector::start_nodes(const std::vector<std::string>& names) {
  for (auto& [id, active] : active_) {
    const auto* fault = std::get_if<NodeFault>(&active.fault.kind);
    if (fault && fault->what == NodeFault::What::kCrash) take_out(active.nodes, names);
  }
  for (const auto& name : names) settle_node(name);
}

void FaultInjector::heal_nodes(const std::vector<std::string>& names) {
  for (auto& [id, active] : active_) {
    const auto* fault = std::get_if<NodeFault>(&active.fault.kind);
    if (fault && fault->what == NodeFault::What::kPartition) take_out(active.nodes, names);
  }
  for (const auto& name : names) settle_node(name);
}

// --- what begins ---

bool FaultInjector::strike(const NodeFault& fault, Active& active) {
  const auto running = [&](const std::string& name) { return cluster_.node_running(name); };
  auto chosen = choose_nodes(cluster_, fault.nodes, rng_, running);
  if (!chosen) {
    refuse(active, chosen.error().message);
    return false;
  }
  active.nodes = *std::move(chosen);
  for (const auto& name : active.nodes) {
    listener_.note(cat(active.fault.text, " ", name));
    if (fault.what == NodeFault::What::kClockJump) cluster_.jump_clock(name, fault.by);
  }
  if (active.nodes.empty()) listener_.note(cat(active.fault.text, " strikes nothing: it chooses no machine that runs"));
  return fault.what != NodeFault::What::kClockJump && !active.nodes.empty();
}

bool FaultInjector::strike(const PodFault& fault, Active& active) {
  struct Candidate {
    std::string name, node, uid;
    auto operator<=>(const Candidate&) const = default;
  };
  std::vector<Candidate> candidates;
  cluster_.store().for_each(control::kinds::kPods, [&](const Value& pod) {
    const auto node = pod[keys::kSpec][keys::kNodeName].string();
    if (!control::is_pod_active(pod) || node.empty() || !cluster_.has_node(node) || !cluster_.node_running(node)) return;
    if (!fault.pods.namespace_.empty() && control::object_namespace(pod) != fault.pods.namespace_) return;
    if (!fault.pods.node.empty() && node != fault.pods.node) return;
    if (!fault.pods.labels.matches(pod[keys::kMetadata][keys::kLabels])) return;
    const auto uid = std::string(control::object_uid(pod));
    if (cluster_.runtime(node)->running_containers(uid, fault.pods.container).empty()) return;
    candidates.push_back({control::key_of(pod).text(), node, uid});
  });
  std::ranges::sort(candidates);
  if (fault.pods.count > 0) candidates = draw(std::move(candidates), fault.pods.count, rng_);
  for (const auto& [name, node, uid] : candidates) {
    listener_.note(cat(active.fault.text, " ", name));
    active.pods.emplace_back(node, uid);
    SimulatedRuntime* runtime = cluster_.runtime(node);
    if (fault.what == PodFault::What::kFailProbes) {
      runtime->set_probes_fail(uid, true);
      continue;
    }
    for (const auto& id : runtime->running_containers(uid, fault.pods.container)) {
      if (fault.what == PodFault::What::kCrash) runtime->crash_container(id, fault.exit_code);
      if (fault.what == PodFault::What::kOom) runtime->kill_for_memory(id);
      if (fault.what == PodFault::What::kHang) runtime->hang_container(id, true);
    }
  }
  if (candidates.empty()) listener_.note(cat(active.fault.text, " strikes nothing: it chooses no container that runs"));
  const bool lasts = fault.what == PodFault::What::kFailProbes || fault.what == PodFault::What::kHang;
  return lasts && !active.pods.empty();
}

bool FaultInjector::strike(const LinkFault& fault, Active& active) {
  for (const auto& name : fault.components) {
    const auto component = component_named(name);
    if (component) cluster_.set_apart(*component);
    if (component || name == "nodes" || cluster_.has_node(name)) continue;
    refuse(active, cat("there is no component ", name, "; known are ", known_components(), ", nodes, and the names of nodes"));
    return false;
  }
  listener_.note(cat(active.fault.text, " of ", join(fault.components, ", ")));
  return true;
}

bool FaultInjector::strike(const ApiFault& fault, Active& active) {
  listener_.note(active.fault.text);
  if (fault.what == ApiFault::What::kExpireWatches) cluster_.expire_watches();
  return fault.what != ApiFault::What::kExpireWatches;
}

bool FaultInjector::strike(const StoreFault& fault, Active& active) {
  if (fault.what != StoreFault::What::kSlow && !cluster_.options().store_on_disk) {
    refuse(active, "the store of this run is in memory; a scenario whose faults name this one has it on a disk");
    return false;
  }
  listener_.note(active.fault.text);
  if (fault.what == StoreFault::What::kPowerLoss) cluster_.cut_store_power();
  return true;
}

bool FaultInjector::strike(const ComponentFault& fault, Active& active) {
  cluster_.set_apart(fault.component);
  listener_.note(cat(active.fault.text, " ", fault.component.name));
  if (fault.what == ComponentFault::What::kTwoLeaders) {
    for (const auto& component : cluster_.components()) {
      if (fault.component.includes(component)) cluster_.add_leader(component);
    }
  }
  // Without a time of its own, the lease's.
  if (fault.what == ComponentFault::What::kLoseLeader && !active.fault.lasts) active.fault.lasts = Distribution::fixed(kLease);
  return true;
}

bool FaultInjector::strike(const RegistryFault& fault, Active& active) {
  listener_.note(cat(active.fault.text, " of ", fault.match));
  return true;
}

bool FaultInjector::strike(const DnsFault&, Active& active) {
  listener_.note(active.fault.text);
  return true;
}

bool FaultInjector::strike(const WebhookFault& fault, Active& active) {
  listener_.note(cat(active.fault.text, " of ", fault.trouble.match));
  return true;
}

bool FaultInjector::strike(const QuotaFault& fault, Active& active) {
  if (!cluster_.store().find(control::kinds::kNamespaces, "", fault.namespace_).has_value()) {
    refuse(active, cat("there is no namespace ", fault.namespace_));
    return false;
  }
  listener_.note(cat(active.fault.text, " of namespace ", fault.namespace_));
  return true;
}

// --- what all faults together ask for ---

void FaultInjector::settle(const Active& changed) {
  for (const auto& name : changed.nodes) settle_node(name);
  if (const auto* pods = std::get_if<PodFault>(&changed.fault.kind)) {
    // Whether it still lasts is in active_; a pod that another fault holds as well stays struck.
    for (const auto& pod : changed.pods) {
      const auto& [node, uid] = pod;
      SimulatedRuntime* runtime = cluster_.has_node(node) ? cluster_.runtime(node) : nullptr;
      if (!runtime) continue;
      bool struck = false;
      each<PodFault>([&](const PodFault& fault, const Active& active) {
        struck |= fault.what == pods->what && std::ranges::find(active.pods, pod) != active.pods.end();
      });
      if (struck) continue;
      if (pods->what == PodFault::What::kFailProbes) runtime->set_probes_fail(uid, false);
      if (pods->what == PodFault::What::kHang) {
        for (const auto& id : runtime->running_containers(uid, pods->pods.container)) runtime->hang_container(id, false);
      }
    }
  }
  if (std::holds_alternative<LinkFault>(changed.fault.kind)) settle_links();
  if (std::holds_alternative<ApiFault>(changed.fault.kind) || std::holds_alternative<StoreFault>(changed.fault.kind)) settle_server();
  if (std::holds_alternative<ComponentFault>(changed.fault.kind)) settle_components();
  if (std::holds_alternative<RegistryFault>(changed.fault.kind) || std::holds_alternative<DnsFault>(changed.fault.kind) ||
      std::holds_alternative<WebhookFault>(changed.fault.kind)) {
    settle_surroundings();
  }
  if (std::holds_alternative<QuotaFault>(changed.fault.kind)) settle_quotas();
}

void FaultInjector::settle_node(const std::string& name) {
  using What = NodeFault::What;
  bool down = false, frozen = false, no_kubelet = false, full = false, cut = false;
  int64_t slowness = 1, disk_slowness = 1;
  LinkFaults link;
  each<NodeFault>([&](const NodeFault& fault, const Active& active) {
    if (std::ranges::find(active.nodes, name) == active.nodes.end()) return;
    down |= is_on(fault, What::kCrash);
    frozen |= is_on(fault, What::kFreeze);
    no_kubelet |= is_on(fault, What::kStopKubelet);
    full |= is_on(fault, What::kFillDisk);
    if (is_on(fault, What::kSlow)) slowness = std::max(slowness, fault.factor);
    if (is_on(fault, What::kSlowDisk)) disk_slowness = std::max(disk_slowness, fault.factor);
    if (is_on(fault, What::kPartition)) {
      cut |= fault.cut == NodeFault::Cut::kBoth;
      link.cut_requests |= fault.cut == NodeFault::Cut::kRequests;
      link.cut_answers |= fault.cut == NodeFault::Cut::kAnswers;
    }
  });
  each<LinkFault>([&](const LinkFault& fault, const Active&) {
    const auto named = [&](const std::string& who) { return std::ranges::find(fault.components, who) != fault.components.end(); };
    if (named(name) || named("nodes")) link = link.with(fault.trouble);
  });
  // Trouble first, so that what boots has it from its first moment.
  cluster_.set_node_frozen(name, frozen && !down);
  cluster_.set_node_connected(name, !cut);
  cluster_.set_node_faults(name, link);
  cluster_.set_node_slowness(name, slowness);
  cluster_.set_disk(name, full, disk_slowness);
  if (down) {
    cluster_.crash_node(name);
    return;
  }
  cluster_.start_node(name);
  if (no_kubelet == cluster_.kubelet_running(name)) {
    if (no_kubelet) {
      cluster_.stop_kubelet(name);
    } else {
      cluster_.restart_kubelet(name);
    }
  }
}

void FaultInjector::settle_links() {
  std::vector<std::string> nodes;
  each<LinkFault>([&](const LinkFault& fault, const Active&) {
    for (const auto& component : fault.components) {
      if (component == "nodes") nodes = cluster_.node_names();
      if (cluster_.has_node(component)) nodes.push_back(component);
    }
  });
  std::ranges::sort(nodes);
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
  std::vector<std::string> touched = nodes;
  touched.insert(touched.end(), troubled_nodes_.begin(), troubled_nodes_.end());
  std::ranges::sort(touched);
  touched.erase(std::unique(touched.begin(), touched.end()), touched.end());
  for (const auto& name : touched) settle_node(name);
  troubled_nodes_ = std::move(nodes);
  settle_components();
}

void FaultInjector::settle_server() {
  ApiGate::Trouble trouble;
  bool stopped = false, full = false;
  Distribution latency;
  each<ApiFault>([&](const ApiFault& fault, const Active&) {
    stopped |= fault.what == ApiFault::What::kStop;
    trouble.certificate_expired |= fault.what == ApiFault::What::kExpireCertificate;
    if (fault.what == ApiFault::What::kSlow) trouble.latency = fault.latency;
    if (fault.what == ApiFault::What::kErrors) {
      trouble.fail = fault.chance;
      trouble.fail_code = fault.code;
    }
    if (fault.what == ApiFault::What::kThrottle) {
      trouble.rate = trouble.rate == 0 ? fault.rate : std::min(trouble.rate, fault.rate);
      trouble.retry_after_seconds = fault.retry_after_seconds;
    }
  });
  each<StoreFault>([&](const StoreFault& fault, const Active&) {
    stopped |= fault.what == StoreFault::What::kPowerLoss;
    full |= fault.what == StoreFault::What::kFull;
    if (fault.what == StoreFault::What::kSlow) latency = fault.latency;
  });
  cluster_.gate().set(trouble);
  cluster_.set_store_latency(latency);
  if (full != store_full_) cluster_.set_store_full(full);
  store_full_ = full;
  if (stopped && !api_stopped_) cluster_.stop_api();
  if (!stopped && api_stopped_) cluster_.start_api();
  api_stopped_ = stopped;
  server_renews_ = !stopped && !full && can_renew(trouble);
  settle_components();
}

void FaultInjector::leader_changed(const Component& component) {
  const bool one = component != Component::kControllers;
  const bool leads = leases_.leads(component);
  if (!leads && cluster_.running(component)) {
    listener_.note(cat(component.name, one ? " ends: it cannot renew its lease" : " end: they cannot renew their lease"));
    cluster_.end_leader(component);
  }
  if (leads) listener_.note(cat(component.name, one ? " leads again" : " lead again"));
  cluster_.disturb();
  settle_components();
}

void FaultInjector::settle_components() {
  for (const auto& component : cluster_.components()) {
    ComponentFaults faults;
    bool away = false;
    each<ComponentFault>([&](const ComponentFault& fault, const Active&) {
      if (!fault.component.includes(component)) return;
      if (fault.what == ComponentFault::What::kCrash) crashed_.insert(component);
      away |= fault.what == ComponentFault::What::kCrash || fault.what == ComponentFault::What::kLoseLeader;
      if (fault.what != ComponentFault::What::kCrashOften) return;
      faults.crash_at_write = std::max(faults.crash_at_write, fault.chance);
      faults.down = fault.down;
    });
    each<LinkFault>([&](const LinkFault& fault, const Active&) {
      const auto means = [&](const std::string& name) {
        const auto named = component_named(name);
        return named && named->includes(component);
      };
      if (std::ranges::any_of(fault.components, means)) faults.link = faults.link.with(fault.trouble);
    });
    const bool renews = server_renews_ && can_renew(faults.link);
    leases_.set_renewable(component, renews);
    // What a leader that has ended had sent comes when the link lets it.
    if (renews) cluster_.release_old_leader(component);
    away = away || !leases_.leads(component);
    cluster_.set_faults(component, faults);
    if (away && (cluster_.running(component) || cluster_.comes_back(component))) cluster_.stop(component);
    // One that has died of its own (crashAtWrites) comes back by itself.
    if (away || cluster_.running(component) || cluster_.comes_back(component)) continue;
    if (crashed_.erase(component) > 0) {
      cluster_.await_lease(component);
    } else {
      cluster_.restart(component);
    }
  }
}

void FaultInjector::settle_surroundings() {
  Surroundings& around = cluster_.surroundings();
  around.registry.clear();
  around.dns_answers = true;
  each<RegistryFault>([&](const RegistryFault& fault, const Active&) {
    around.registry.push_back({fault.match, fault.pulls_per_minute});
  });
  each<DnsFault>([&](const DnsFault&, const Active&) { around.dns_answers = false; });
  std::vector<WebhookTrouble> webhooks;
  each<WebhookFault>([&](const WebhookFault& fault, const Active&) { webhooks.push_back(fault.trouble); });
  cluster_.webhooks().set_trouble(std::move(webhooks));
}

void FaultInjector::settle_quotas() {
  std::map<std::string, std::set<std::string>> wanted;  // by namespace: of what nothing is left
  each<QuotaFault>([&](const QuotaFault& fault, const Active&) {
    wanted[fault.namespace_].insert(fault.resources.begin(), fault.resources.end());
  });
  std::vector<control::ApiRequest> writes;
  const auto write = [&](control::Verb verb, const std::string& namespace_) -> control::ApiRequest& {
    control::ApiRequest& request = writes.emplace_back();
    request.verb = verb;
    request.kind = control::kinds::kResourcequotas;
    request.namespace_ = namespace_;
    request.name = kExhaustedQuota;
    return request;
  };
  cluster_.store().for_each(control::kinds::kResourcequotas, [&](const Value& quota) {
    const std::string namespace_(control::object_namespace(quota));
    if (control::object_name(quota) == kExhaustedQuota && !wanted.contains(namespace_)) write(control::Verb::kDelete, namespace_);
  });
  for (const auto& [namespace_, resources] : wanted) {
    Value quota = exhausted_quota(namespace_, resources);
    const Value& stored = cluster_.store().find(control::kinds::kResourcequotas, namespace_, kExhaustedQuota);
    if (stored.has_value() && stored[keys::kSpec] == quota[keys::kSpec]) continue;
    auto& request = write(control::Verb::kPatch, namespace_);
    request.patch_type = control::PatchType::kApply;
    request.options.force = true;
    request.options.field_manager = "scenario";
    request.body = std::move(quota);
  }
  for (auto& request : writes) cluster_.request(std::move(request), [](const auto&) {});
  if (writes.empty() || quotas_unsettled_) return;
  quotas_unsettled_ = true;
  cluster_.executor().after(kLookAtQuotas, [this] {
    quotas_unsettled_ = false;
    settle_quotas();
  });
}

}  // namespace minik::sim
