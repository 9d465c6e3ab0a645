// DeploymentRollout: one look at a Deployment and its ReplicaSets, shared by what scales them (deployment.cpp) and what
// the status says of it (deployment_status.cpp).
//
//   Progressing   NewReplicaSetCreated -> ReplicaSetUpdated … -> NewReplicaSetAvailable
//                                   |            nothing moved for progressDeadlineSeconds
//                                   +-> ProgressDeadlineExceeded
//   ReplicaSetCreateError as long as the server refuses the new set
//
// A rollout that has come to its end is over: pods that fail later, or more of them, are no rollout. Lives for one
// decision; holds documents of the snapshot and the plan that is being made.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/client/plan.h"
#include "control/controllers/deployment.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"

namespace minik::control {

inline int64_t spec_replicas(const Value& object) {
  return object[keys::kSpec][keys::kReplicas].as_int(1);
}
inline int64_t status_count(const Value& object, const Key& key) {
  return object[keys::kStatus][key].as_int();
}

struct DeploymentRollout {
  const Value& deployment;
  WallTime now;
  Value new_set;                // absent until created
  std::vector<Value> old_sets;  // oldest first
  RolloutBounds bounds;
  Plan plan;
  std::string created_name = {};  // of the set that this plan creates

  int64_t wanted() const { return spec_replicas(deployment); }
  std::vector<Value> all_sets() const {
    auto all = old_sets;
    if (new_set.has_value()) all.push_back(new_set);
    return all;
  }
  bool paused() const { return deployment[keys::kSpec][keys::kPaused].as_bool(); }
  // "For ever" is said by the largest number there is.
  bool has_deadline() const {
    return deployment[keys::kSpec][keys::kProgressDeadlineSeconds].as_int(600) != INT32_MAX;
  }
  int64_t total(const Key& status_key) const {
    int64_t sum = 0;
    for (const auto& set : all_sets()) sum += status_count(set, status_key);
    return sum;
  }
  int64_t total_wanted() const {
    int64_t sum = 0;
    for (const auto& set : all_sets()) sum += spec_replicas(set);
    return sum;
  }
  Value about() const { return typed(deployment, "apps/v1", "Deployment"); }
};

// All pods are the new set's, and serve.
bool is_rollout_complete(const DeploymentRollout& rollout, const Value& status);
// `created`: this plan creates the new set.
void plan_deployment_status(DeploymentRollout& rollout, bool created);
// How the Deployment tells that its new set could not be made; nothing where it has no deadline.
std::function<ApiRequest(const Error&)> failed_creation(const DeploymentRollout& rollout, const std::string& set_name);

}  // namespace minik::control
