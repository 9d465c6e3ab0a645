#include "control/controllers/node_judgement.h"

#include <algorithm>
#include <vector>

#include "control/controllers/pods.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kNotReady = "node.kubernetes.io/not-ready";
constexpr std::string_view kUnreachable = "node.kubernetes.io/unreachable";
constexpr std::string_view kUnschedulable = "node.kubernetes.io/unschedulable";

// What a node says about itself becomes a taint that keeps new pods away.
struct ConditionTaint {
  std::string_view type, bad_status, key;
};
constexpr ConditionTaint kConditionTaints[] = {
    {"MemoryPressure", "True", "node.kubernetes.io/memory-pressure"},
    {"DiskPressure", "True", "node.kubernetes.io/disk-pressure"},
    {"PIDPressure", "True", "node.kubernetes.io/pid-pressure"},
    {"NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"},
};

bool is_taint(const Value& taint, std::string_view key, std::string_view effect) {
  return taint[keys::kKey].as_string() == key && taint[keys::kEffect].as_string() == effect;
}

bool is_own(const Value& taint) {
  const auto key = taint[keys::kKey].as_string();
  if (key == kNotReady || key == kUnreachable) return true;
  if (taint[keys::kEffect].as_string() != "NoSchedule") return false;
  return key == kUnschedulable ||
         std::ranges::any_of(kConditionTaints, [&](const auto& entry) { return entry.key == key; });
}

}  // namespace

std::string_view absence_taint(const Value& node) {
  const auto status = condition(node, "Ready")[keys::kStatus].as_string();
  return status == "True" ? std::string_view() : status == "Unknown" ? kUnreachable : kNotReady;
}

bool has_taint(const Value& node, std::string_view key, std::string_view effect) {
  return std::ranges::any_of(node[keys::kSpec][keys::kTaints].items(),
                             [&](const Value& taint) { return is_taint(taint, key, effect); });
}

Value judged_taints(const Value& node, Evicting evicting, WallTime now) {
  std::vector<std::pair<std::string_view, std::string_view>> own;  // key and effect
  const auto absence = absence_taint(node);
  if (!absence.empty()) own.emplace_back(absence, "NoSchedule");
  if (!absence.empty() && evicting == Evicting::kYes) own.emplace_back(absence, "NoExecute");
  for (const auto& [type, bad_status, key] : kConditionTaints) {
    if (condition(node, type)[keys::kStatus].as_string() == bad_status) own.emplace_back(key, "NoSchedule");
  }
  if (node[keys::kSpec][keys::kUnschedulable].as_bool()) own.emplace_back(kUnschedulable, "NoSchedule");
  std::vector<Value> taints;
  for (const auto& taint : node[keys::kSpec][keys::kTaints].items()) {
    if (is_own(taint)) {
      const auto found =
          std::ranges::find_if(own, [&](const auto& entry) { return is_taint(taint, entry.first, entry.second); });
      if (found == own.end()) continue;
      own.erase(found);
    }
    taints.push_back(taint);
  }
  for (const auto& [key, effect] : own) {
    taints.push_back(
        Value::map({{keys::kKey, key}, {keys::kEffect, effect}, {keys::kTimeAdded, format_time(now)}}));
  }
  return taints.empty() ? Value() : Value::array(std::move(taints));
}

Value silent_node(const Value& node, WallTime now) {
  Value next = node;
  for (const std::string_view type : kOwnConditions) {
    const Value& old = condition(node, type);
    const bool spoke = old.has_value();
    const Value& heard = spoke ? old[keys::kLastHeartbeatTime] : node[keys::kMetadata][keys::kCreationTimestamp];
    next = with_condition(next,
                          Value::map({{keys::kType, type},
                                      {keys::kStatus, "Unknown"},
                                      {keys::kReason, spoke ? "NodeStatusUnknown" : "NodeStatusNeverUpdated"},
                                      {keys::kMessage, spoke ? "Kubelet stopped posting node status."
                                                             : "Kubelet never posted node status."},
                                      {keys::kLastHeartbeatTime, heard}}),
                          now);
  }
  return next;
}

std::optional<Duration> eviction_pace(int64_t nodes, int64_t silent, const NodeLifecycleOptions& options) {
  int64_t rate = options.eviction_rate_per_1000_s;
  const bool unhealthy = silent > 2 && silent * 100 >= nodes * options.unhealthy_zone_percent;
  if (unhealthy && silent < nodes) rate = nodes > options.large_zone_nodes ? options.secondary_rate_per_1000_s : 0;
  if (rate == 0) return std::nullopt;
  return seconds(1000) / rate;
}

}  // namespace minik::control
