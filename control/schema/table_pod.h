// The one word, and the counts, that a pod's containers add up to in a table. Inside
// control/schema, and for whoever else must name a pod's state as kubectl does.
#pragma once

#include <string>

#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::control {

struct PodSummary {
  std::string status;  // "Running", "Init:0/2", "CrashLoopBackOff", "Terminating"
  int64_t ready = 0;
  int64_t containers = 0;  // sidecars count, other init containers do not
  int64_t restarts = 0;
  WallTime last_restart;  // 0: none is known
};

PodSummary summarize_pod(const Value& pod);

}  // namespace minik::control
