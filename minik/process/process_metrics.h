// What a process says of itself, under Prometheus' names: CPU time, memory, open files, when it started, and
// which version it is. Read from /proc when somebody asks.
#pragma once

#include "control/base/metrics.h"

namespace minik {

// `version` is the Kubernetes version that is served. The collector must not outlive the registry.
[[nodiscard]] MetricRegistry::Collector collect_process_metrics(MetricRegistry& registry,
                                                                const std::string& version);

}  // namespace minik
