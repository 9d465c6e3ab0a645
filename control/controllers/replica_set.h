// The controllers of ReplicaSets and ReplicationControllers: keep spec.replicas pods that match the
// selector and belong to the set. One decision for both kinds; a ReplicaKind says how they differ.
//
// Adopts matching orphans, lets go of pods that no longer match, creates what is missing and
// deletes what is too much in Kubernetes' order of preference. Pods that the API refuses (a quota
// is spent, say) leave a FailedCreate event and the condition ReplicaFailure, which goes when
// nothing is missing any more. Pure decisions on a snapshot.
#pragma once

#include <string_view>

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

}  // namespace minik::control
