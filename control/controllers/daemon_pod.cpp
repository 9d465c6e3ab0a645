#include "control/controllers/daemon_pod.h"

#include <algorithm>
#include <vector>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/node_selection.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

struct DaemonToleration {
  const char* key;
  const char* effect;
  bool host_network_only = false;
};

// A daemon is part of its node: it stays on a sick one, and runs on a cordoned one.
constexpr DaemonToleration kTolerations[] = {
    {"node.kubernetes.io/not-ready", "NoExecute"},
    {"node.kubernetes.io/unreachable", "NoExecute"},
    {"node.kubernetes.io/disk-pressure", "NoSchedule"},
    {"node.kubernetes.io/memory-pressure", "NoSchedule"},
    {"node.kubernetes.io/pid-pressure", "NoSchedule"},
    {"node.kubernetes.io/unschedulable", "NoSchedule"},
    {"node.kubernetes.io/network-unavailable", "NoSchedule", true},
};

Value with_daemon_tolerations(const Value& spec) {
  const auto given = spec[keys::kTolerations].items();
  std::vector<Value> tolerations(given.begin(), given.end());
  for (const auto& added : kTolerations) {
    if (added.host_network_only && !spec[keys::kHostNetwork].as_bool()) continue;
    const Value toleration = Value::map(
        {{keys::kKey, added.key}, {keys::kOperator, "Exists"}, {keys::kEffect, added.effect}});
    // The template's own one gives way: a daemon does not leave after tolerationSeconds.
    const auto same = std::ranges::find_if(tolerations, [&](const Value& t) {
      return t.without(keys::kTolerationSeconds) == toleration;
    });
    if (same == tolerations.end()) {
      tolerations.push_back(toleration);
    } else {
      *same = toleration;
    }
  }
  return Value::array(std::move(tolerations));
}

Value affinity_to(const Value& affinity, std::string_view node_name) {
  const Value field = Value::map({{keys::kKey, "metadata.name"},
                                  {keys::kOperator, "In"},
                                  {keys::kValues, Value::array({node_name})}});
  const Value term = Value::map({{keys::kMatchFields, Value::array({field})}});
  return affinity.with_at(
      {keys::kNodeAffinity, keys::kRequiredDuringSchedulingIgnoredDuringExecution},
      Value::map({{keys::kNodeSelectorTerms, Value::array({term})}}));
}

}  // namespace

DaemonPod::DaemonPod(const Value& daemon_set)
    : pod_template_(daemon_set[keys::kSpec][keys::kTemplate]),
      tolerations_(with_daemon_tolerations(pod_template_[keys::kSpec])),
      generate_name_(cat(object_name(daemon_set), "-")),
      namespace_(daemon_set[keys::kMetadata][keys::kNamespace]) {}

NodeVerdict DaemonPod::judge(const Value& node) const {
  const Value& spec = pod_template_[keys::kSpec];
  const auto fixed = spec[keys::kNodeName].as_string();
  if (!fixed.empty() && fixed != object_name(node)) return {};
  if (!matches_node_affinity(spec[keys::kNodeSelector], spec[keys::kAffinity],
                             node[keys::kMetadata][keys::kLabels], object_name(node))) {
    return {};
  }
  const Value& taints = node[keys::kSpec][keys::kTaints];
  if (untolerated_taint(tolerations_, taints).is_absent()) return {true, true};
  const bool must_leave = std::ranges::any_of(taints.items(), [&](const Value& taint) {
    return taint[keys::kEffect].as_string() == "NoExecute" && !tolerates(tolerations_, taint);
  });
  return {false, !must_leave};
}

Value DaemonPod::on_node(std::string_view node_name) const {
  const Value& metadata = pod_template_[keys::kMetadata];
  const Value& spec = pod_template_[keys::kSpec];
  return Value::map(
      {{keys::kMetadata, Value::map({{keys::kGenerateName, generate_name_},
                                     {keys::kNamespace, namespace_},
                                     {keys::kLabels, metadata[keys::kLabels]},
                                     {keys::kAnnotations, metadata[keys::kAnnotations]},
                                     {keys::kFinalizers, metadata[keys::kFinalizers]}})},
       {keys::kSpec, spec.with(keys::kTolerations, tolerations_)
                         .with(keys::kAffinity, affinity_to(spec[keys::kAffinity], node_name))}});
}

std::string_view daemon_node_of(const Value& pod) {
  const auto bound = pod[keys::kSpec][keys::kNodeName].as_string();
  if (!bound.empty()) return bound;
  const Value& required = pod[keys::kSpec][keys::kAffinity][keys::kNodeAffinity]
                             [keys::kRequiredDuringSchedulingIgnoredDuringExecution];
  for (const auto& term : required[keys::kNodeSelectorTerms].items()) {
    for (const auto& field : term[keys::kMatchFields].items()) {
      const auto names = field[keys::kValues].items();
      if (field[keys::kKey].as_string() == "metadata.name" && names.size() == 1) {
        return names[0].as_string();
      }
    }
  }
  return {};
}

}  // namespace minik::control
