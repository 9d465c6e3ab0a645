#include "sim/import/pools.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"

namespace minik::sim {

namespace keys = control::keys;
using control::MapBuilder;
using control::Value;

namespace {

constexpr int64_t kMemoryKeptFree = 100LL << 20;  // of memory.available, by default
constexpr int64_t kPodsMax = 250;                 // that a simulated machine has addresses for
constexpr std::string_view kZone = "topology.kubernetes.io/zone", kOldZone = "failure-domain.beta.kubernetes.io/zone";
constexpr std::string_view kHost = "kubernetes.io/hostname";
// What differs from node to node, or is made by the node agent.
constexpr std::string_view kOwnLabels[] = {kHost, kZone, kOldZone, "kubernetes.io/os", "kubernetes.io/arch",
                                           "beta.kubernetes.io/os", "beta.kubernetes.io/arch", "topology.ebs.csi.aws.com/zone",
                                           "topology.gke.io/zone", "topology.disk.csi.azure.com/zone"};
// What a scenario takes.
constexpr int64_t kDiskBytesMin = 1LL << 30, kDiskBytesMax = 1LL << 50;
constexpr std::string_view kPoolLabels[] = {"eks.amazonaws.com/nodegroup", "cloud.google.com/gke-nodepool",
                                            "kubernetes.azure.com/agentpool", "karpenter.sh/nodepool", "agentpool",
                                            "node.kubernetes.io/instance-type"};

// Taints that the control plane sets by a node's state; it will do so again.
bool is_state_taint(const Value& taint) {
  const auto& key = taint[keys::kKey];
  return key.as_string().starts_with("node.kubernetes.io/") || key.as_string().starts_with("node.cloudprovider.kubernetes.io/");
}

std::string zone_of(const Value& labels) {
  const Value& zone = labels.get(kZone);
  return zone.has_value() ? zone.string() : labels.get(kOldZone).string();
}

struct Shape {
  std::string cpu, memory, pods, disk, labels, taints;
  auto operator<=>(const Shape&) const = default;
};

struct Group {
  Value capacity, labels, taints;
  std::string name;
  std::map<std::string, std::vector<std::string>> nodes;  // by zone, "" for none
};

// Names become parts of node names.
std::string pool_name(std::string_view wanted) {
  std::string name;
  for (const char c : wanted) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool allowed = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9');
    if (allowed) name += lower;
    else if (!name.empty() && name.back() != '-') name += '-';
  }
  if (name.size() > 40) name.resize(40);
  while (!name.empty() && name.back() == '-') name.pop_back();
  return name.empty() ? "node" : name;
}

Group group_of(const Value& node) {
  const Value& labels = node[keys::kMetadata][keys::kLabels];
  // What is not allocatable is what the machine keeps for itself: pods never see it.
  const Value& status = node[keys::kStatus];
  const Value& allocatable = status[keys::kAllocatable].has_value() ? status[keys::kAllocatable] : status[keys::kCapacity];
  Group group;
  // A simulated node agent keeps its thresholds free as well, of memory and of the disk.
  const auto bytes = [](int64_t amount) { return control::Quantity::of(amount, control::Quantity::Format::kBinarySI).text(); };
  const Value& memory = allocatable[keys::kMemory];
  const Value& pods = allocatable[keys::kPods];
  group.capacity = Value::map(
      {{keys::kCpu, allocatable[keys::kCpu]},
       {keys::kMemory, memory.has_value() ? Value(bytes(control::Quantity::of_value(memory).units() + kMemoryKeptFree)) : Value()},
       {keys::kPods, control::Quantity::of_value(pods).units() > kPodsMax ? Value(cat(kPodsMax)) : pods}});
  const Value& disk = status[keys::kCapacity]["ephemeral-storage"];
  const int64_t disk_bytes = control::Quantity::of_value(disk).units();
  if (disk_bytes >= kDiskBytesMin && disk_bytes <= kDiskBytesMax) group.capacity = group.capacity.with("ephemeral-storage", disk);
  MapBuilder kept;
  for (const auto& [key, value] : labels.entries()) {
    if (std::ranges::find(kOwnLabels, key.text()) == std::end(kOwnLabels) && value.is_string()) kept.set(key, value);
  }
  group.labels = std::move(kept).build();
  std::vector<Value> taints;
  for (const auto& taint : node[keys::kSpec][keys::kTaints].items()) {
    if (!is_state_taint(taint)) taints.push_back(taint.without(keys::kTimeAdded));
  }
  group.taints = Value::array(std::move(taints));
  group.name = "node";
  for (const auto label : kPoolLabels) {
    if (!labels.get(label).has_value()) continue;
    group.name = pool_name(labels.get(label).string());
    break;
  }
  return group;
}

void note_what_is_lost(const Value& node, Notes& notes) {
  static constexpr std::string_view kKnown[] = {"cpu", "memory", "pods", "ephemeral-storage"};
  for (const auto& [resource, amount] : node[keys::kStatus][keys::kCapacity].entries()) {
    const bool is_none = amount.as_string() == "0" || (amount.is_int() && amount.as_int() == 0);
    if (is_none || std::ranges::find(kKnown, resource.text()) != std::end(kKnown)) continue;
    notes.add(cat("simulated machines have no ", resource.text()), control::object_name(node));
  }
  if (control::Quantity::of_value(node[keys::kStatus][keys::kCapacity][keys::kPods]).units() > kPodsMax) {
    notes.add(cat("simulated machines have no more than ", kPodsMax, " pods"), control::object_name(node));
  }
}

bool is_ready(const Value& node) {
  for (const auto& condition : node[keys::kStatus][keys::kConditions].items()) {
    if (condition[keys::kType].as_string() == "Ready") return condition[keys::kStatus].as_string() == "True";
  }
  return true;
}

// One pool of the scenario. Its machines are called name-0, name-1, …; zones take turns.
void add_pool(const Group& group, const std::string& name, const std::vector<std::string>& zones, ImportedPools& into) {
  size_t count = 0;
  for (const auto& zone : zones) count += group.nodes.at(zone).size();
  const bool has_zones = zones.size() > 1 || !zones[0].empty();
  std::vector<Value> zone_values;
  for (const auto& zone : zones) zone_values.emplace_back(zone);
  into.pools.push_back(Value::map({{"name", name},
                                   {"count", static_cast<int64_t>(count)},
                                   {"capacity", group.capacity},
                                   {"zones", has_zones ? Value::array(std::move(zone_values)) : Value()},
                                   {"labels", group.labels.empty() ? Value() : group.labels},
                                   {"taints", group.taints.empty() ? Value() : group.taints}}));
  for (size_t z = 0; z < zones.size(); ++z) {
    const auto& nodes = group.nodes.at(zones[z]);
    for (size_t i = 0; i < nodes.size(); ++i) into.machine_of[nodes[i]] = cat(name, "-", i * zones.size() + z);
  }
}

}  // namespace

ImportedPools pools_of(const std::vector<Value>& nodes, Notes& notes) {
  std::map<Shape, Group> groups;
  for (const auto& node : nodes) {
    note_what_is_lost(node, notes);
    Group group = group_of(node);
    const Shape shape{control::to_json(group.capacity[keys::kCpu]), control::to_json(group.capacity[keys::kMemory]),
                      control::to_json(group.capacity[keys::kPods]), control::to_json(group.capacity["ephemeral-storage"]),
                      control::to_json(group.labels), control::to_json(group.taints)};
    const auto entry = groups.try_emplace(shape, std::move(group)).first;
    entry->second.nodes[zone_of(node[keys::kMetadata][keys::kLabels])].emplace_back(control::object_name(node));
  }
  ImportedPools result;
  std::set<std::string> taken;
  const auto free_name = [&](const std::string& wanted) {
    std::string name = wanted;
    for (int i = 2; !taken.insert(name).second; ++i) name = cat(wanted, "-", static_cast<char>('a' + i % 26), i);
    return name;
  };
  for (auto& [shape, group] : groups) {
    for (auto& [zone, names] : group.nodes) std::ranges::sort(names);
    std::vector<std::string> zones;
    for (const auto& [zone, names] : group.nodes) zones.push_back(zone);
    const size_t first = group.nodes.begin()->second.size();
    const bool even = std::ranges::all_of(group.nodes, [&](const auto& entry) { return entry.second.size() == first && !entry.first.empty(); });
    if (even || zones.size() == 1) {
      add_pool(group, free_name(group.name), zones, result);
      continue;
    }
    for (const auto& zone : zones) {
      add_pool(group, free_name(zone.empty() ? group.name : cat(group.name, "-", pool_name(zone))), {zone}, result);
    }
  }
  for (const auto& node : nodes) {
    const std::string& machine = result.machine_of.at(std::string(control::object_name(node)));
    if (const auto& host = node[keys::kMetadata][keys::kLabels].get(kHost); host.is_string()) result.machine_of_host[host.string()] = machine;
    if (node[keys::kSpec][keys::kUnschedulable].as_bool()) result.cordoned.push_back(machine);
    if (!is_ready(node)) result.not_ready.push_back(machine);
  }
  return result;
}

namespace {

Value renamed(const Value& name, const std::map<std::string, std::string>& machine_of, Notes& notes) {
  if (!name.is_string()) return name;
  if (const auto found = machine_of.find(name.string()); found != machine_of.end()) return Value(found->second);
  notes.add("selectors name nodes that are not among the objects", name.as_string());
  return name;
}

// {key: kubernetes.io/hostname, operator: In, values: […]}, as matchExpressions and matchFields have them.
Value requirement(const Value& value, const std::map<std::string, std::string>& machine_of, Notes& notes) {
  std::vector<Value> names;
  for (const auto& name : value[keys::kValues].items()) names.push_back(renamed(name, machine_of, notes));
  return value.with(keys::kValues, Value::array(std::move(names)));
}

}  // namespace

Value with_machine_names(const Value& value, const ImportedPools& pools, Notes& notes) {
  if (value.is_array()) {
    std::vector<Value> items;
    for (const auto& item : value.items()) items.push_back(with_machine_names(item, pools, notes));
    return Value::array(std::move(items));
  }
  if (!value.is_map()) return value;
  if (value[keys::kValues].is_array()) {
    const auto key = value[keys::kKey].as_string();
    if (key == kHost) return requirement(value, pools.machine_of_host, notes);
    if (key == "metadata.name") return requirement(value, pools.machine_of, notes);
  }
  MapBuilder builder(value);
  for (const auto& [key, item] : value.entries()) {
    if (key == keys::kNodeName) {
      builder.set(key, renamed(item, pools.machine_of, notes));
    } else if (key == keys::kNodeSelector && item.get(kHost).is_string()) {
      builder.set(key, item.with(control::Key(kHost), renamed(item.get(kHost), pools.machine_of_host, notes)));
    } else {
      builder.set(key, with_machine_names(item, pools, notes));
    }
  }
  return std::move(builder).build();
}

}  // namespace minik::sim
