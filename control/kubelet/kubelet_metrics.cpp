#include "control/kubelet/kubelet_metrics.h"

namespace minik::control {

namespace {

Counter& started(MetricRegistry& registry, const char* type) {
  return registry.counter("kubelet_started_containers_total", "Containers that were started.",
                          {{"container_type", type}});
}

std::vector<Duration> pod_start_bounds() {
  std::vector<Duration> bounds{milliseconds(500)};
  for (const int64_t s : {1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200,
                          1800, 2700, 3600})
    bounds.push_back(seconds(s));
  return bounds;
}

}  // namespace

KubeletMetrics::KubeletMetrics(MetricRegistry& registry, const std::string& node_name,
                               std::function<Running()> running)
    : started_pods_(registry.counter("kubelet_started_pods_total", "Pods whose sandbox was started.")),
      failed_pods_(registry.counter("kubelet_started_pods_errors_total", "Pods whose sandbox could not be started.")),
      started_containers_(started(registry, "container")),
      started_init_(started(registry, "init_container")),
      hook_fallbacks_(registry.counter("kubelet_lifecycle_handler_http_fallbacks_total",
                                       "Lifecycle hooks over HTTPS that were answered only over HTTP.")),
      pod_start_(registry.histogram("kubelet_pod_start_duration_seconds",
                                    "Time from the first sight of a pod until all its containers ran.", {},
                                    pod_start_bounds())),
      running_pods_(registry.gauge("kubelet_running_pods", "Pods with a running sandbox.")),
      running_containers_(registry.gauge("kubelet_running_containers", "Containers by their state.",
                                         {{"container_state", "running"}})),
      collector_(registry.collect([this, running = std::move(running)] {
        const Running now = running();
        running_pods_.set(now.pods);
        running_containers_.set(now.containers);
      })) {
  registry.gauge("kubelet_node_name", "The node's name, as a label; always 1.", {{"node", node_name}}).set(1);
}

}  // namespace minik::control
