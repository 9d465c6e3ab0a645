#include "control/kubelet/node_admission.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/container_aggregate.h"
#include "control/object/keys.h"
#include "control/object/node_selection.h"
#include "control/object/object_ref.h"
#include "control/object/pod_containers.h"
#include "control/object/quantity.h"
#include "control/quota/amounts.h"

namespace minik::control {

namespace {

const Key kStorage("ephemeral-storage");

Quantity requested(const Value& spec, const Key& resource) {
  const Value& whole = spec[keys::kResources][keys::kRequests][resource];
  const Quantity own = whole.has_value() ? Quantity::of_value(whole) : container_aggregate(spec, keys::kRequests, resource).value_or(Quantity());
  return own + Quantity::of_value(spec[keys::kOverhead][resource]);
}

PodRefusal out_of(std::string_view resource, int64_t wanted, int64_t used, int64_t capacity) {
  return {cat("OutOf", resource), cat("Node didn't have enough resource: ", resource, ", requested: ", wanted, ", used: ", used,
                                      ", capacity: ", capacity)};
}

PodRefusal against_rule(std::string_view rule, std::string_view why) { return {std::string(rule), cat("Predicate ", rule, " failed: ", why)}; }

// Resources with names of their own, as devices have: few pods ask for them.
std::optional<PodRefusal> lacks_others(const Value& pod, const Value& allocatable, const NodeLoad& load) {
  const auto is_common = [](std::string_view name) { return name == "cpu" || name == "memory" || name == kStorage.text(); };
  const auto asks = [&](const Value& container) {
    return std::ranges::any_of(container[keys::kResources][keys::kRequests].entries(),
                               [&](const MapEntry& request) { return !is_common(request.key.text()); });
  };
  const Value& spec = pod[keys::kSpec];
  if (std::ranges::none_of(spec[keys::kContainers].items(), asks) && std::ranges::none_of(spec[keys::kInitContainers].items(), asks)) {
    return std::nullopt;
  }
  for (const auto& [name, amount] : pod_amounts(spec, keys::kRequests)) {
    const Value& capacity = allocatable.get(name);
    if (is_common(name) || capacity.is_absent()) continue;
    Quantity used;
    for (const auto* other : load.pods) {
      const auto amounts = pod_amounts((*other)[keys::kSpec], keys::kRequests);
      if (const auto its = amounts.find(name); its != amounts.end()) used = used + its->second;
    }
    const Quantity all = Quantity::of_value(capacity);
    if (used + amount > all) return out_of(name, amount.units(), used.units(), all.units());
  }
  return std::nullopt;
}

std::optional<PodRefusal> lacks_room(const Value& pod, const Value& allocatable, const NodeLoad& load) {
  const int64_t pods = static_cast<int64_t>(load.pods.size());
  const int64_t pods_max = Quantity::of_value(allocatable[keys::kPods]).units();
  if (pods + 1 > pods_max) return out_of("pods", 1, pods, pods_max);
  const PodShare share = share_of(pod);
  const auto lacks = [](int64_t wanted, int64_t used, int64_t capacity) { return wanted > 0 && wanted > capacity - used; };
  const int64_t cpu = Quantity::of_value(allocatable[keys::kCpu]).milli();
  if (lacks(share.milli_cpu, load.shares.milli_cpu, cpu)) return out_of("cpu", share.milli_cpu, load.shares.milli_cpu, cpu);
  const int64_t memory = Quantity::of_value(allocatable[keys::kMemory]).units();
  if (lacks(share.memory_bytes, load.shares.memory_bytes, memory)) {
    return out_of("memory", share.memory_bytes, load.shares.memory_bytes, memory);
  }
  // A node that does not measure its disk offers none, and refuses none.
  const Value& disk = allocatable[kStorage];
  if (const int64_t storage = Quantity::of_value(disk).units();
      disk.has_value() && lacks(share.storage_bytes, load.shares.storage_bytes, storage)) {
    return out_of(kStorage.text(), share.storage_bytes, load.shares.storage_bytes, storage);
  }
  return lacks_others(pod, allocatable, load);
}

bool finds_ports_taken(const Value& pod, const NodeLoad& load) {
  const auto wanted = host_ports(pod[keys::kSpec]);
  if (wanted.empty()) return false;
  return std::ranges::any_of(load.pods, [&](const Value* other) {
    const auto taken = host_ports((*other)[keys::kSpec]);
    return std::ranges::any_of(wanted, [&](const HostPort& port) {
      return std::ranges::any_of(taken, [&](const HostPort& its) { return port.conflicts_with(its); });
    });
  });
}

// Those that change nothing outside of their pod, by the namespace that keeps them apart.
constexpr std::string_view kSafeOfNet[] = {
    "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports", "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",     "net.ipv4.tcp_keepalive_intvl",     "net.ipv4.tcp_keepalive_probes",       "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem",            "net.ipv4.tcp_syncookies",          "net.ipv4.tcp_wmem"};
constexpr std::string_view kSafeOfIpc[] = {"kernel.shm_rmid_forced"};

// "net/ipv4/tcp_rmem" is the same as "net.ipv4.tcp_rmem": the first separator says which it is.
std::string with_dots(std::string_view sysctl) {
  std::string name(sysctl);
  const size_t first = name.find_first_of("./");
  if (first == std::string::npos || name[first] == '.') return name;
  for (char& c : name) c = c == '/' ? '.' : c == '.' ? '/' : c;
  return name;
}

std::optional<PodRefusal> asks_for_unsafe_sysctl(const Value& spec) {
  const auto refuse = [](std::string_view name, std::string_view why) {
    return PodRefusal{"SysctlForbidden", cat("forbidden sysctl: ", quoted(name), " ", why)};
  };
  for (const auto& sysctl : spec[keys::kSecurityContext][keys::kSysctls].items()) {
    const std::string name = with_dots(sysctl[keys::kName].as_string());
    const bool of_net = std::ranges::find(kSafeOfNet, name) != std::end(kSafeOfNet);
    const bool of_ipc = std::ranges::find(kSafeOfIpc, name) != std::end(kSafeOfIpc);
    if (!of_net && !of_ipc) return refuse(name, "not allowlisted");
    if (of_net && spec[keys::kHostNetwork].as_bool()) return refuse(name, "not allowed with host Net enabled");
    if (of_ipc && spec[keys::kHostIPC].as_bool()) return refuse(name, "not allowed with host IPC enabled");
  }
  return std::nullopt;
}

}  // namespace

PodShare share_of(const Value& pod) {
  const Value spec = spec_in_force(pod);
  return {requested(spec, keys::kCpu).milli(), requested(spec, keys::kMemory).units(), requested(spec, kStorage).units()};
}

std::optional<PodRefusal> why_refused(const Value& pod, const Value& node, const NodeLoad& load) {
  if (auto forbidden = asks_for_unsafe_sysctl(pod[keys::kSpec])) return forbidden;
  if (const Value& os = pod[keys::kSpec][keys::kOs]; os.has_value() && os[keys::kName].as_string() != "linux") {
    return PodRefusal{"PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"};
  }
  if (auto lack = lacks_room(pod, node[keys::kStatus][keys::kAllocatable], load)) return lack;
  const Value &spec = pod[keys::kSpec], &metadata = node[keys::kMetadata];
  if (metadata.has_value() &&
      !matches_node_affinity(spec[keys::kNodeSelector], spec[keys::kAffinity], metadata[keys::kLabels], object_name(node))) {
    return against_rule("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
  }
  if (finds_ports_taken(pod, load)) return against_rule("NodePorts", "node(s) didn't have free ports for the requested pod ports");
  const bool is_kept_away = std::ranges::any_of(node[keys::kSpec][keys::kTaints].items(), [&](const Value& taint) {
    return taint[keys::kEffect].as_string() == "NoExecute" && !tolerates(spec[keys::kTolerations], taint);
  });
  if (is_kept_away) return against_rule("TaintToleration", "node(s) had taints that the pod didn't tolerate");
  return std::nullopt;
}

}  // namespace minik::control
