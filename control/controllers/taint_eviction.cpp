#include "control/controllers/taint_eviction.h"

#include <algorithm>
#include <memory>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// How long the pod may stay beside this taint: nothing for ever, else seconds.
std::optional<int64_t> tolerated_seconds(const Value& pod, const Value& taint, bool& tolerated) {
  tolerated = false;
  std::optional<int64_t> least;
  for (const auto& t : pod[keys::kSpec][keys::kTolerations].items()) {
    const auto effect = t[keys::kEffect].as_string();
    if (!effect.empty() && effect != "NoExecute") continue;
    const auto key = t[keys::kKey].as_string();
    if (!key.empty() && key != taint[keys::kKey].as_string()) continue;
    if (t[keys::kOperator].as_string() != "Exists" &&
        t[keys::kValue].as_string() != taint[keys::kValue].as_string()) {
      continue;
    }
    tolerated = true;
    if (t[keys::kTolerationSeconds].is_int()) {
      const int64_t s = std::max<int64_t>(0, t[keys::kTolerationSeconds].as_int());
      least = least ? std::min(*least, s) : s;
    }
  }
  return least;
}

}  // namespace

Plan reconcile_taint_eviction(const Snapshot& snapshot, const ObjectKey& key, Env& env, AwaitedEvictions& awaited) {
  const Value& pod = snapshot.find(kinds::kPods, key.namespace_, key.name);
  Plan plan;
  const auto before = awaited.take(key, object_uid(pod));
  if (!pod.has_value() || is_deleting(pod)) return plan;
  const Value& node = snapshot.find(kinds::kNodes, "", pod[keys::kSpec][keys::kNodeName].as_string());
  std::optional<WallTime> when;
  for (const auto& taint : node[keys::kSpec][keys::kTaints].items()) {
    if (taint[keys::kEffect].as_string() != "NoExecute") continue;
    bool tolerated = false;
    const auto stay = tolerated_seconds(pod, taint, tolerated);
    if (tolerated && !stay) continue;
    const WallTime since = time_of(taint[keys::kTimeAdded]).value_or(env.now);
    const WallTime leave = tolerated ? since + seconds(*stay) : env.now;
    when = when ? std::min(*when, leave) : leave;
  }
  if (!when) {
    if (before) {
      plan.note(typed(pod, "v1", "Pod"), "Normal", "TaintManagerEviction",
                cat("Cancelling deletion of Pod ", key.text()));
    }
    return plan;
  }
  // Another taint in the place of the first (a node that is not ready falls silent) grants no new time.
  if (before) when = std::min(*when, *before);
  if (*when > env.now) {
    awaited.put(key, object_uid(pod), *when);
    plan.look_again_after(*when - env.now);
    return plan;
  }
  const Value condition = Value::map({{keys::kType, "DisruptionTarget"},
                                      {keys::kStatus, "True"},
                                      {keys::kReason, "DeletionByTaintManager"},
                                      {keys::kMessage, "Taint manager: deleting due to NoExecute taint"}});
  plan.update_status(kinds::kPods, with_condition(pod, condition, env.now)).on_error = OnError::kTolerateNotFound;
  auto& write = plan.remove(kinds::kPods, pod);
  write.event = EventNote{typed(pod, "v1", "Pod"), "Normal", "TaintManagerEviction",
                          cat("Marking for deletion Pod ", key.text())};
  write.counts.push_back({"taint_eviction_controller_pod_deletions_total",
                          "Pods that a NoExecute taint of their node has ended."});
  write.counts.push_back({.name = "taint_eviction_controller_pod_deletion_duration_seconds",
                          .help = "Time from the moment when a taint should end a pod to its deletion.",
                          .duration = env.now - *when});
  return plan;
}

std::optional<WallTime> AwaitedEvictions::take(const ObjectKey& key, std::string_view pod_uid) {
  const auto found = evictions_.find(key.text());
  if (found == evictions_.end()) return std::nullopt;
  const Eviction eviction = std::move(found->second);
  evictions_.erase(found);
  return eviction.pod_uid == pod_uid ? std::optional(eviction.at) : std::nullopt;
}

void AwaitedEvictions::put(const ObjectKey& key, std::string_view pod_uid, WallTime at) {
  evictions_.insert_or_assign(key.text(), Eviction{std::string(pod_uid), at});
}

ControllerSpec taint_eviction_controller() {
  const IndexFunction by_node = [](const Value& pod, std::vector<Key>& out) {
    const Value& node = pod[keys::kSpec][keys::kNodeName];
    if (node.is_string() && !node.as_string().empty()) out.emplace_back(node);
  };
  const auto has_no_execute = [](const Value& node) {
    const auto taints = node[keys::kSpec][keys::kTaints].items();
    return std::ranges::any_of(taints, [](const Value& t) { return t[keys::kEffect].as_string() == "NoExecute"; });
  };
  ControllerSpec spec;
  spec.name = "taint-eviction-controller";
  spec.kind = kinds::kPods;
  // Most pods never meet such a taint: they are looked at only when their node has one.
  spec.watches = {
      {kinds::kPods,
       [has_no_execute](const Snapshot& snapshot, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
         if (!after.has_value()) return;
         const Value& was = before[keys::kSpec];
         const Value& is = after[keys::kSpec];
         const auto node = is[keys::kNodeName].as_string();
         if (was[keys::kNodeName].as_string() == node && was[keys::kTolerations] == is[keys::kTolerations]) return;
         if (has_no_execute(snapshot.find(kinds::kNodes, "", node))) keys.push_back(key_of(after));
       },
       {{std::string(kPodsByNode), by_node}}},
      {kinds::kNodes,
       [has_no_execute](const Snapshot& snapshot, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
         if (!after.has_value() || before[keys::kSpec][keys::kTaints] == after[keys::kSpec][keys::kTaints]) return;
         if (!has_no_execute(after) && !has_no_execute(before)) return;
         for (const auto& pod : snapshot.indexed(kinds::kPods, kPodsByNode, object_name(after))) {
           keys.push_back(key_of(pod));
         }
       },
       {}}};
  spec.decide = [awaited = std::make_shared<AwaitedEvictions>()](const Snapshot& snapshot, const ObjectKey& key,
                                                                 Env& env) {
    return reconcile_taint_eviction(snapshot, key, env, *awaited);
  };
  return spec;
}

}  // namespace minik::control
