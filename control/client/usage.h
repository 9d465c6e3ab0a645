// What a node's pods use, as its agent measured it: the raw material of metrics.k8s.io. Plain values.
//
// Rates are over `window`, which ends at `at`: seconds, not since boot. Nothing of it is ever stored; it
// is asked for when somebody wants to know.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik::control {

struct Usage {
  int64_t nano_cores = 0;    // 1'000'000'000 is one CPU all the time
  Duration cpu_time;         // since its start, of all CPUs together
  int64_t memory_bytes = 0;  // working set: what cannot be given back without pain
};

struct ContainerUsage {
  std::string name;
  Usage usage;
};

struct PodUsage {
  std::string namespace_, name;
  std::vector<ContainerUsage> containers;
};

struct NodeUsage {
  WallTime at;
  Duration window;
  Usage node;  // the whole machine, whatever runs there
  std::vector<PodUsage> pods;
};

using UsageCallback = std::function<void(Result<NodeUsage>)>;
// Asks the agent of a node; answers later, an error when it cannot be reached.
using UsageSource = std::function<void(const std::string& node, UsageCallback done)>;

}  // namespace minik::control
