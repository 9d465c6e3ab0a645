#include "control/scheduler/filters.h"

#include <algorithm>

#include "control/base/int128.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

bool matches_requirement(const Value& requirement, const Value& value) {
  const auto op = requirement[keys::kOperator].as_string();
  const bool present = value.is_string();
  const auto listed = [&] {
    return std::ranges::any_of(requirement[keys::kValues].items(),
                               [&](const Value& v) { return v == value; });
  };
  if (op == "In") return present && listed();
  if (op == "NotIn") return !present || !listed();
  if (op == "Exists") return present;
  if (op == "DoesNotExist") return !present;
  if ((op == "Gt" || op == "Lt") && present && requirement[keys::kValues].size() == 1) {
    const auto have = parse_int64(value.as_string());
    const auto bound = parse_int64(requirement[keys::kValues].items()[0].as_string());
    return have && bound && (op == "Gt" ? *have > *bound : *have < *bound);
  }
  return false;
}

bool matches_term(const Value& term, const Value& labels, std::string_view node_name) {
  const Value& expressions = term[keys::kMatchExpressions];
  const Value& fields = term[keys::kMatchFields];
  if (expressions.empty() && fields.empty()) return false;  // an empty term matches nothing
  const Value name(node_name);
  return std::ranges::all_of(expressions.items(),
                             [&](const Value& r) {
                               return matches_requirement(r, labels.get(r[keys::kKey].as_string()));
                             }) &&
         std::ranges::all_of(fields.items(),
                             [&](const Value& r) { return matches_requirement(r, name); });
}

// Share of an allocatable amount that would be in use, in parts per hundred; full when there is none.
int64_t percent(int64_t used, int64_t of) {
  if (of <= 0) return 100;
  return std::clamp<int64_t>(static_cast<int64_t>(Int128{used} * 100 / of), 0, 100);
}

// Kubernetes counts 100 millicores and 200 MiB for a pod that asks for nothing, so that a hundred of
// them still spread.
constexpr int64_t kDefaultMilliCpu = 100;
constexpr int64_t kDefaultMemory = 200LL << 20;

}  // namespace

bool tolerates(const Value& tolerations, const Value& taint) {
  const auto effect = taint[keys::kEffect].as_string();
  const auto key = taint[keys::kKey].as_string();
  return std::ranges::any_of(tolerations.items(), [&](const Value& t) {
    const auto wanted_effect = t[keys::kEffect].as_string();
    if (!wanted_effect.empty() && wanted_effect != effect) return false;
    const auto wanted_key = t[keys::kKey].as_string();
    if (!wanted_key.empty() && wanted_key != key) return false;
    if (t[keys::kOperator].as_string() == "Exists") return true;
    return !wanted_key.empty() && t[keys::kValue].as_string() == taint[keys::kValue].as_string();
  });
}

bool matches_node_selector_terms(const Value& terms, const Value& labels, std::string_view node_name) {
  return std::ranges::any_of(terms.items(),
                             [&](const Value& term) { return matches_term(term, labels, node_name); });
}

std::vector<std::string> shortages(const Resources& wanted, const NodeEntry& node) {
  const Resources& have = node.allocatable;
  const Resources& used = node.requested;
  std::vector<std::string> reasons;
  if (used.pods + wanted.pods > have.pods) reasons.emplace_back("Too many pods");
  const auto check = [&](std::string_view name, int64_t asked, int64_t taken, int64_t there) {
    if (asked > 0 && taken + asked > there) reasons.push_back(cat("Insufficient ", name));
  };
  check("cpu", wanted.milli_cpu, used.milli_cpu, have.milli_cpu);
  check("memory", wanted.memory_bytes, used.memory_bytes, have.memory_bytes);
  check("ephemeral-storage", wanted.ephemeral_bytes, used.ephemeral_bytes, have.ephemeral_bytes);
  const auto amount = [](const Resources& r, const Key& name) {
    const auto found = std::ranges::find(r.extended, name, &std::pair<Key, int64_t>::first);
    return found == r.extended.end() ? int64_t{0} : found->second;
  };
  for (const auto& [name, count] : wanted.extended) {
    check(name.text(), count, amount(used, name), amount(have, name));
  }
  return reasons;
}

std::vector<std::string> why_not(const PodClass& pod, const NodeEntry& node) {
  static const Value kUnschedulableTaint = Value::map(
      {{keys::kKey, "node.kubernetes.io/unschedulable"}, {keys::kEffect, "NoSchedule"}});
  if (node.unschedulable && !tolerates(pod.tolerations, kUnschedulableTaint)) {
    return {"node(s) were unschedulable"};
  }
  for (const auto& taint : node.taints.items()) {
    const auto effect = taint[keys::kEffect].as_string();
    if (effect == "PreferNoSchedule" || tolerates(pod.tolerations, taint)) continue;
    return {cat("node(s) had untolerated taint {", taint[keys::kKey].as_string(), ": ",
                taint[keys::kValue].as_string(), "}")};
  }
  const bool selected = std::ranges::all_of(pod.node_selector.entries(), [&](const MapEntry& e) {
    return node.labels[e.key] == e.value;
  });
  if (!selected || (pod.required_affinity.is_array() &&
                    !matches_node_selector_terms(pod.required_affinity, node.labels, node.name))) {
    return {"node(s) didn't match Pod's node affinity/selector"};
  }
  return shortages(pod.requests, node);
}

int64_t score(const PodClass& pod, const NodeEntry& node) {
  const int64_t pods = node.requested.pods + 1;
  const int64_t cpu = percent(
      std::max(node.requested.milli_cpu + pod.requests.milli_cpu, pods * kDefaultMilliCpu / 10),
      node.allocatable.milli_cpu);
  const int64_t memory = percent(
      std::max(node.requested.memory_bytes + pod.requests.memory_bytes, pods * kDefaultMemory / 10),
      node.allocatable.memory_bytes);
  const int64_t least = 100 - (cpu + memory) / 2;
  const int64_t balanced = 100 - std::abs(cpu - memory) / 2;
  int64_t disliked = 0;
  for (const auto& taint : node.taints.items()) {
    if (taint[keys::kEffect].as_string() == "PreferNoSchedule" && !tolerates(pod.tolerations, taint)) ++disliked;
  }
  int64_t preferred = 0, preferred_max = 0;
  for (const auto& term : pod.preferred_affinity.items()) {
    const int64_t weight = term[keys::kWeight].as_int();
    preferred_max += weight;
    if (matches_term(term[keys::kPreference], node.labels, node.name)) preferred += weight;
  }
  int64_t siblings = 0;
  if (const auto found = node.pods_by_owner.find(pod.owner.as_string()); found != node.pods_by_owner.end()) {
    siblings = found->second;
  }
  const int64_t spread = 100 - std::min<int64_t>(100, siblings * 10);
  return least + balanced + 3 * std::max<int64_t>(0, 100 - 50 * disliked) +
         2 * (preferred_max == 0 ? 0 : preferred * 100 / preferred_max) + 2 * spread;
}

}  // namespace minik::control
