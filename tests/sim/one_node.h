// OneNode: a node agent "a" on a simulated machine, with the API that it serves.
#pragma once

#include <memory>

#include "control/kubelet/kubelet.h"
#include "sim/simulated_runtime.h"
#include "tests/sim/meddled_client.h"
#include "tests/sim/virtual_api.h"

namespace minik::sim {

template <typename Runtime = SimulatedRuntime>
class OneNode : public control::VirtualApi {
 protected:
  explicit OneNode(control::ApiServerOptions options = {}) : VirtualApi("system:node:a", std::move(options)) {
    start_agent();
  }

  // In place of the one before, which ends without a word.
  void start_agent() {
    control::KubeletConfig config;
    config.node_name = "a";
    config.milli_cpu = 1000;
    config.memory_bytes = int64_t{1} << 30;
    kubelet.reset();
    kubelet = std::make_unique<control::Kubelet>(config, executor, agent, runtime, nullptr, Rng(3));
    kubelet->start();
  }

  MeddledClient agent{client};
  Surroundings surroundings{{ImageBehaviour{}}};
  Runtime runtime{executor, Rng(2), surroundings, "a", 0x0af40100};
  std::unique_ptr<control::Kubelet> kubelet;
};

}  // namespace minik::sim
