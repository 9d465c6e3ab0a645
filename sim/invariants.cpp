#include "sim/invariants.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/controllers/deployment.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/scheduler/pod_class.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::Value;

std::optional<std::string> overcommitted_node(const control::Store& store) {
  std::map<std::string, control::Resources, std::less<>> bound;
  store.for_each(kinds::kPods, [&](const Value& pod) {
    const auto node = pod[keys::kSpec][keys::kNodeName].as_string();
    if (node.empty() || control::is_pod_ended(pod)) return;
    bound[std::string(node)].add(control::pod_requests(pod[keys::kSpec]), 1);
  });
  for (const auto& [name, used] : bound) {
    const Value& node = store.find(kinds::kNodes, "", name);
    if (!node.has_value()) continue;
    const auto have = control::node_allocatable(node);
    if (used.milli_cpu > have.milli_cpu || used.memory_bytes > have.memory_bytes || used.pods > have.pods) {
      return cat("node ", name, " has ", used.pods, " pods with ", used.milli_cpu, "m CPU and ", used.memory_bytes,
                 " bytes bound, and ", have.pods, ", ", have.milli_cpu, "m and ", have.memory_bytes, " to give");
    }
  }
  return {};
}

std::optional<std::string> rollout_beyond_surge(const control::Store& store) {
  std::map<std::string, int64_t, std::less<>> wanted_by_owner;
  store.for_each(kinds::kReplicasets, [&](const Value& set) {
    wanted_by_owner[control::controller_of(set)[keys::kUid].string()] += set[keys::kSpec][keys::kReplicas].as_int();
  });
  std::optional<std::string> broken;
  store.for_each(kinds::kDeployments, [&](const Value& deployment) {
    const auto& spec = deployment[keys::kSpec];
    if (!(deployment[keys::kStatus][keys::kObservedGeneration] == deployment[keys::kMetadata][keys::kGeneration])) return;
    if (spec[keys::kPaused].as_bool()) return;
    const auto found = wanted_by_owner.find(control::object_uid(deployment));
    if (found == wanted_by_owner.end()) return;
    const int64_t most = spec[keys::kReplicas].as_int(1) + control::rollout_bounds(deployment).surge;
    // Shrinking takes a moment: only a rollout that was within its bounds may not leave them.
    const auto& annotations = deployment[keys::kStatus][keys::kReplicas];
    if (found->second > most && found->second > annotations.as_int()) {
      broken = cat("Deployment ", control::key_of(deployment).text(), " wants ", found->second, " pods, ", most, " are allowed");
    }
  });
  return broken;
}

}  // namespace minik::sim
