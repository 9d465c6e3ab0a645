// Profile: how one scheduler name places pods, as KubeSchedulerConfiguration
// (kubescheduler.config.k8s.io/v1) says it: the strategy of NodeResourcesFit, the weights of the
// scoring plugins, and which of them are off.
//
// The defaults are Kubernetes' own. Plugins that only filter cannot be turned off: leaving out a
// filter would place pods where the node agent refuses them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

enum class AllocationStrategy : uint8_t { kLeast, kMost };

struct ScoreWeights {
  int64_t taints = 3;
  int64_t node_affinity = 2;
  int64_t spread = 2;
  int64_t pod_affinity = 2;
  int64_t allocation = 1;
  int64_t balance = 1;
  int64_t image = 1;
};

struct Profile {
  std::string name = "default-scheduler";
  AllocationStrategy strategy = AllocationStrategy::kLeast;
  // Weights of CPU and memory inside the allocation score.
  int64_t cpu_weight = 1;
  int64_t memory_weight = 1;
  ScoreWeights weights;
  bool preempts = true;
};

// The profiles of a KubeSchedulerConfiguration; what is not supported is an error that names the
// field.
Result<std::vector<Profile>> profiles_from(const Value& configuration);

}  // namespace minik::control
