// Profile: how one scheduler name places pods. SchedulerConfiguration: the profiles and what holds for all of them,
// as KubeSchedulerConfiguration (kubescheduler.config.k8s.io/v1) says it.
//
// The defaults are Kubernetes' own, and so are the sentences about what is wrong. Plugins that only filter cannot be
// turned off: leaving out a filter would place pods where the node agent refuses them. What concerns a process of its
// own (leader election, client connection, addresses) is taken without effect, and so is `parallelism`: one thread
// decides. Extenders are refused.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::control {

enum class AllocationStrategy : uint8_t { kLeast, kMost, kRequestedToCapacity };

struct ScoreWeights {
  int64_t taints = 3;
  int64_t node_affinity = 2;
  int64_t spread = 2;
  int64_t pod_affinity = 2;
  int64_t allocation = 1;
  int64_t balance = 1;
  int64_t image = 1;
};

// A point of RequestedToCapacityRatio's shape: the score, from 0 to 100, of a node that is so full.
struct ShapePoint {
  int64_t utilization_percent = 0;
  int64_t score = 0;
};

// A constraint of PodTopologySpread for pods that bring none themselves.
struct DefaultSpread {
  Key topology_key;
  int64_t max_skew = 1;
  bool hard = false;
};

struct Profile {
  std::string name = "default-scheduler";
  ScoreWeights weights;

  // NodeResourcesFit: the weights of CPU and memory inside the score, and of other resources by name.
  AllocationStrategy strategy = AllocationStrategy::kLeast;
  int64_t cpu_weight = 1;
  int64_t memory_weight = 1;
  std::vector<std::pair<Key, int64_t>> other_weights;
  std::vector<ShapePoint> shape;
  // Extended resources that are not filtered by: by name, or by what stands before the slash.
  std::vector<std::string> ignored_resources, ignored_resource_groups;

  // NodeResourcesBalancedAllocation: the resources whose shares are to be alike.
  bool balances_cpu = true, balances_memory = true;
  std::vector<Key> balances_others;

  // DefaultPreemption: how many nodes are tried, where a dry run depends on other nodes too.
  bool preempts = true;
  int64_t preemption_nodes_percent = 10;
  int64_t preemption_nodes_min = 100;

  // InterPodAffinity: what a placed pod's required affinity adds to the score, and whether pods without preferences are
  // scored by those of placed pods at all.
  int64_t hard_affinity_weight = 1;
  bool ignores_preferences_of_placed = false;

  // NodeAffinity's addedAffinity: what every pod of the profile has besides its own; absent when nothing.
  Value added_affinity;

  // PodTopologySpread: the system's defaults, or these.
  bool spreads_by_system_defaults = true;
  std::vector<DefaultSpread> default_spread;

  // VolumeBinding.
  Duration bind_timeout = minutes(10);

  // Of the nodes that can take a pod, how many are scored where no order is kept; 0: fewer the more there are.
  int64_t percentage_of_nodes = 0;
};

// How long a pod waits after attempt upon attempt.
struct BackOff {
  Duration first = seconds(1);
  Duration last = seconds(10);
};

struct SchedulerConfiguration {
  std::vector<Profile> profiles = {Profile()};
  BackOff back_off;
};

// What is wrong, or not supported, is an error that names the field.
Result<SchedulerConfiguration> configuration_from(const Value& configuration);

}  // namespace minik::control
