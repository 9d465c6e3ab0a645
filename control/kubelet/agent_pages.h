// The node agent's own pages, as they are reached through the API's nodes/NAME/proxy: what the kubelet serves
// on its port. Made from what was measured; pure functions of it.
#pragma once

#include <string>

#include "control/base/metrics.h"
#include "control/client/usage.h"
#include "control/object/value.h"

namespace minik::control {

// /metrics/resource: CPU time and memory of the node, its pods and their containers.
std::string resource_metrics_page(const NodeUsage& usage, MetricFormat format);
// /stats/summary, as far as CPU and memory go (stats.kubelet.k8s.io/v1alpha1).
Value stats_summary(const std::string& node_name, const NodeUsage& usage);

}  // namespace minik::control
