// NodePool: machines of one kind, as a scenario says them. A value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/kubelet/eviction_signals.h"
#include "control/object/value.h"
#include "sim/distribution.h"

namespace minik::sim {

struct NodePool {
  std::string name = "node";
  int64_t count = 1;
  int64_t milli_cpu = 8000;
  int64_t memory_bytes = 32LL << 30;
  int64_t pods_max = 110;
  int64_t disk_bytes = 100LL << 30;  // for images and all that pods write; ephemeral-storage
  control::EvictionThresholds eviction_hard = control::default_eviction_thresholds();
  std::map<std::string, std::string> labels;
  std::vector<std::string> zones;  // given out in turn
  control::Value taints;
  Distribution clock_skew;  // drawn for each machine
};

// "node-3", counted from 0.
std::string node_name(const NodePool& pool, int64_t index);
bool names_node(const std::vector<NodePool>& pools, std::string_view name);
// "front-0 to front-7, back-0", for messages.
std::string known_nodes(const std::vector<NodePool>& pools);

}  // namespace minik::sim
