#include "control/controllers/pod_garbage.h"

#include <algorithm>
#include <memory>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kEndedPods = "ended";
constexpr std::string_view kOutOfService = "node.kubernetes.io/out-of-service";

void plan_removal(Plan& plan, const Value& pod, WallTime now, std::string_view why, const char* reason) {
  if (!is_pod_ended(pod)) {
    const Value wanted = Value::map({{keys::kType, "DisruptionTarget"},
                                     {keys::kStatus, "True"},
                                     {keys::kReason, "DeletionByPodGC"},
                                     {keys::kMessage, cat("PodGC: ", why)}});
    const Value failed = pod.with_at({keys::kStatus, keys::kPhase}, "Failed");
    plan.update_status(kinds::kPods, with_condition(failed, wanted, now)).on_error =
        OnError::kTolerateNotFound;
  }
  auto& write = plan.remove(kinds::kPods, pod);
  write.request.options.grace_period_seconds = 0;
  write.counts.push_back({"pod_gc_collector_force_delete_pods_total",
                          "Pods that were removed by force, by the reason.", {{"reason", reason}}});
  write.failure_counts.push_back({"pod_gc_collector_force_delete_pod_errors_total",
                                  "Pods that could not be removed by force, by the reason.", {{"reason", reason}}});
}

bool is_out_of_service(const Value& node) {
  const auto taints = node[keys::kSpec][keys::kTaints].items();
  return !is_condition_true(node, "Ready") && std::ranges::any_of(taints, [](const Value& t) {
    return t[keys::kKey].as_string() == kOutOfService;
  });
}

}  // namespace

Plan collect_pod_garbage(const Snapshot& snapshot, const PodGarbageOptions& options,
                         MissingNodes& missing, Env& env) {
  Plan plan;
  plan.look_again_after(options.period);
  const ObjectCache& pods = snapshot.cache(kinds::kPods);
  MissingNodes still_missing;
  for (const auto& name : pods.index_values(kPodsByNode)) {
    const Value& node = snapshot.find(kinds::kNodes, "", name);
    if (node.has_value()) {
      if (!is_out_of_service(node)) continue;
      for (const auto& pod : pods.indexed(kPodsByNode, name)) {
        if (is_deleting(pod)) plan_removal(plan, pod, env.now, "node is out of service", "out-of-service");
      }
      continue;
    }
    const auto before = missing.find(name);
    const WallTime since = before == missing.end() ? env.now : before->second;
    still_missing.emplace(name, since);
    if (env.now - since < options.missing_node_grace) continue;
    for (const auto& pod : pods.indexed(kPodsByNode, name))
      plan_removal(plan, pod, env.now, "node no longer exists", "orphaned");
  }
  missing = std::move(still_missing);

  auto ended = pods.indexed(kEndedPods, kEndedPods);
  if (ended.size() > options.ended_pods_max) {
    std::ranges::stable_sort(ended, {}, [](const Value& pod) {
      return pod[keys::kMetadata][keys::kCreationTimestamp].string();
    });
    ended.resize(ended.size() - options.ended_pods_max);
    for (const auto& pod : ended) plan_removal(plan, pod, env.now, "", "terminated");
  }
  return plan;
}

ControllerSpec pod_garbage_controller(PodGarbageOptions options) {
  const IndexFunction by_node = [](const Value& pod, std::vector<Key>& out) {
    const Value& node = pod[keys::kSpec][keys::kNodeName];
    if (node.is_string() && !node.as_string().empty()) out.emplace_back(node);
  };
  const IndexFunction ended = [](const Value& pod, std::vector<Key>& out) {
    if (is_pod_ended(pod)) out.emplace_back(kEndedPods);
  };
  // All pods are one subject: whatever comes or goes among the nodes begins the round.
  const KeysForChange round = [](const Snapshot&, const Value& before, const Value& after,
                                 std::vector<ObjectKey>& keys) {
    if (!before.has_value() || !after.has_value()) keys.push_back({"", "pods"});
  };
  ControllerSpec spec;
  spec.name = "pod-garbage-collector";
  spec.kind = kinds::kPods;
  spec.watches = {
      {kinds::kPods, nullptr, {{std::string(kPodsByNode), by_node}, {std::string(kEndedPods), ended}}},
      {kinds::kNodes, round, {}}};
  spec.decide = [options, missing = std::make_shared<MissingNodes>()](const Snapshot& snapshot,
                                                                      const ObjectKey&, Env& env) {
    return collect_pod_garbage(snapshot, options, *missing, env);
  };
  return spec;
}

}  // namespace minik::control
