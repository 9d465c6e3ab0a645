// The Deployment controller: a rollout is arithmetic over ReplicaSets.
//
//   template hash --> new ReplicaSet (revision n+1)        up, at most maxSurge over replicas
//                     old ReplicaSets                      down, at most maxUnavailable below
//
// Rolling update and recreate, pause, proportional scaling, progress deadline, revision history and its
// clean-up. Pure decisions on a snapshot; pods are the ReplicaSets' business.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

Plan reconcile_deployment(const Snapshot& snapshot, const ObjectKey& key, Env& env);
ControllerSpec deployment_controller();

// maxSurge and maxUnavailable as numbers of pods: surge rounds up, unavailable down, never both zero.
struct RolloutBounds {
  int64_t surge = 0;
  int64_t unavailable = 0;
};
RolloutBounds rollout_bounds(const Value& deployment);
std::string pod_template_hash(const Value& pod_template, int64_t collision_count);

}  // namespace minik::control
