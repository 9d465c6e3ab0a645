// What a simulated cluster costs on one core, the whole control plane and all kubelets included.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "bench/simulated_deployment.h"

namespace {

using namespace minik;
using namespace minik::sim;

int64_t pods() {
  return std::getenv("MINIK_BENCH_TINY") ? 50 : 5'000;
}

// A pod's whole life: created by its controllers, scheduled, started, ready, deleted.
void pod_lifecycles_per_s(benchmark::State& state) {
  SimulatedDeployment deployment;
  for (auto _ : state) {
    deployment.scale_to(pods());
    deployment.scale_to(0);
  }
  state.counters["figure"] =
      benchmark::Counter(static_cast<double>(pods()) * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
}
BENCHMARK(pod_lifecycles_per_s)->Unit(benchmark::kMillisecond);

}  // namespace
