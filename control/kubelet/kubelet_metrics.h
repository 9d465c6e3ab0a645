// What a node agent counts, under the kubelet's names. A node without a registry (the simulator has too many)
// counts nothing. Owned by the Kubelet, control thread only; the registry outlives it.
#pragma once

#include <functional>
#include <string>

#include "control/base/metrics.h"

namespace minik::control {

class KubeletMetrics {
 public:
  // Pods and running containers at the moment of asking.
  struct Running {
    int64_t pods = 0, containers = 0;
  };

  KubeletMetrics(MetricRegistry& registry, const std::string& node_name, std::function<Running()> running);

  // A pod was given to this node and its sandbox runs; all its containers have started, so long after the
  // agent first saw it.
  void sandbox_started() { started_pods_.add(); }
  void sandbox_failed() { failed_pods_.add(); }
  void pod_started(Duration since_seen) { pod_start_.observe(since_seen); }
  void hook_fell_back() { hook_fallbacks_.add(); }
  void container_started(bool init) { (init ? started_init_ : started_containers_).add(); }

 private:
  Counter &started_pods_, &failed_pods_, &started_containers_, &started_init_, &hook_fallbacks_;
  Histogram& pod_start_;
  Gauge &running_pods_, &running_containers_;
  MetricRegistry::Collector collector_;
};

}  // namespace minik::control
