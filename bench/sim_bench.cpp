// What a simulated cluster costs on one core, the whole control plane and all kubelets included.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>

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

// A Deployment from nothing until all its pods are Ready; the machines have registered before.
void rollout(benchmark::State& state, int64_t nodes, int64_t replicas) {
  if (std::getenv("MINIK_BENCH_TINY")) {
    nodes = 5;
    replicas = 50;
  }
  for (auto _ : state) {
    state.PauseTiming();
    auto deployment = std::make_unique<SimulatedDeployment>(nodes);
    state.ResumeTiming();
    deployment->scale_to(replicas);
    state.PauseTiming();
    deployment.reset();
    state.ResumeTiming();
  }
  state.counters["figure"] = benchmark::Counter(static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void rollout_1000n_10000p_s(benchmark::State& state) { rollout(state, 1'000, 10'000); }
BENCHMARK(rollout_1000n_10000p_s)->Unit(benchmark::kMillisecond);

void rollout_5000n_150000p_s(benchmark::State& state) { rollout(state, 5'000, 150'000); }
BENCHMARK(rollout_5000n_150000p_s)->Unit(benchmark::kMillisecond);

// What a sweep does again and again: ten machines boot, thirty pods start, one machine dies, its pods come
// back elsewhere.
void small_seeds_per_s(benchmark::State& state) {
  for (auto _ : state) {
    SimulatedDeployment deployment(10);
    deployment.scale_to(30);
    deployment.cluster().crash_node("node-3");
    deployment.cluster().executor().run_until(deployment.cluster().executor().now() + minutes(8));
  }
  state.counters["figure"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(small_seeds_per_s)->Unit(benchmark::kMillisecond);

// An hour in which nothing happens but heartbeats.
void idle_hour_5000n_s(benchmark::State& state) {
  const bool tiny = std::getenv("MINIK_BENCH_TINY") != nullptr;
  SimulatedDeployment deployment(tiny ? 5 : 5'000);
  for (auto _ : state) deployment.cluster().executor().run_until(deployment.cluster().executor().now() + hours(1));
  state.counters["figure"] = benchmark::Counter(static_cast<double>(state.iterations()),
                                                benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(idle_hour_5000n_s)->Unit(benchmark::kMillisecond);

}  // namespace
