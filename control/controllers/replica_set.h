// The controllers of ReplicaSets and ReplicationControllers: keep spec.replicas pods that match the
// selector and belong to the set. One decision for both kinds; a ReplicaKind says how they differ.
//
// Adopts matching orphans, lets go of pods that no longer match, creates what is missing and
// deletes what is too much in Kubernetes' order of preference. Pods that the API refuses (a quota
// is spent, say) leave a FailedCreate event and the condition ReplicaFailure, which goes when
// nothing is missing any more. Pure decisions on a snapshot.
#pragma once

#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "control/client/controller.h"
#include "control/controllers/claims.h"

namespace minik::control {

struct ReplicaKind {
  KindId kind;
  std::string_view api_version, name;
  std::string_view controller;  // the source of events
  LabelSelectorOf selector_of;
  bool counts_terminating;  // status.terminatingReplicas
};

Plan reconcile_replicas(const ReplicaKind& of, const Snapshot& snapshot, const ObjectKey& key,
                        Env& env);
ControllerSpec replica_set_controller();
ControllerSpec replication_controller_controller();

// Pods in the order in which they would be deleted: unassigned, pending, not ready, cheap, crowded,
// recently ready, often restarted, young first; the `first` of them.
// `pods_on_node` are the live pods of the set and its siblings: the fuller node loses one first.
// The texts of the names live elsewhere.
using PodsByNode = std::map<std::string_view, int64_t>;
std::vector<Value> by_deletion_rank(std::span<const Value> pods, const PodsByNode& pods_on_node, WallTime now,
                                    size_t first = SIZE_MAX);

}  // namespace minik::control
