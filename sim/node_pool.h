// NodePool: machines of one kind, as a scenario says them. A value.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "control/object/value.h"
#include "sim/distribution.h"

namespace minik::sim {

struct NodePool {
  std::string name = "node";
  int64_t count = 1;
  int64_t milli_cpu = 8000;
  int64_t memory_bytes = 32LL << 30;
  int64_t pods_max = 110;
  std::map<std::string, std::string> labels;
  std::vector<std::string> zones;  // given out in turn
  control::Value taints;
  Distribution clock_skew;  // drawn for each machine
};

}  // namespace minik::sim
