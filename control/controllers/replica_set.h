// The ReplicaSet controller: keeps spec.replicas pods that match the selector and belong to the
// set.
//
// Adopts matching orphans, lets go of pods that no longer match, creates what is missing and
// deletes what is too much in Kubernetes' order of preference. Pure decisions on a snapshot.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/client/controller.h"

namespace minik::control {

Plan reconcile_replica_set(const Snapshot& snapshot, const ObjectKey& key, Env& env);
ControllerSpec replica_set_controller();

// Pods in the order in which they would be deleted: unassigned, pending, not ready, cheap, crowded,
// recently ready, often restarted, young first.
// `pods_on_node` are the live pods of the set and its siblings: the fuller node loses one first.
using PodsByNode = std::map<std::string, int64_t, std::less<>>;
std::vector<Value> by_deletion_rank(std::vector<Value> pods, const PodsByNode& pods_on_node,
                                    WallTime now);

}  // namespace minik::control
