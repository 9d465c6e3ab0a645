// What a rolling update costs on one core: a Deployment of 10,000 replicas from one image to the next, by the
// default strategy, with API, store, controllers, scheduler and the kubelets of 100 simulated machines.
#include <benchmark/benchmark.h>

#include <cstdlib>

#include "bench/simulated_deployment.h"

namespace {

using namespace minik;
using namespace minik::sim;

void rollout(benchmark::State& state, int64_t replicas) {
  SimulatedDeployment deployment;
  if (std::getenv("MINIK_BENCH_TINY")) replicas = 50;
  deployment.scale_to(replicas);
  int64_t version = 1;
  for (auto _ : state) deployment.roll_out(cat("web:", ++version), replicas);
  state.counters["figure"] = benchmark::Counter(static_cast<double>(state.iterations()) * 1e-3,
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void replicas_10000_ms(benchmark::State& state) { rollout(state, 10'000); }
BENCHMARK(replicas_10000_ms)->Name("10000_replicas_ms")->Unit(benchmark::kMillisecond);

}  // namespace
