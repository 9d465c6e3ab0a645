// What a simulated cluster costs on one core: the whole control plane, all kubelets, and the trace with its
// hash, as `minik sim run` has it. Seconds are those of the processor, not of the wall. A run that is repeated
// must come to the same hash, or the program ends; the label names it.
//
// The largest one needs 10 GiB: bench/run leaves it out unless it is asked for by --filter.
#include <benchmark/benchmark.h>
#include <sys/resource.h>

#include <cstdlib>
#include <map>
#include <memory>
#include <string>

#include "bench/simulated_deployment.h"
#include "minik/cli/huge_pages.h"
#include "sim/trace.h"

namespace {

using namespace minik;
using namespace minik::sim;

bool tiny() { return std::getenv("MINIK_BENCH_TINY") != nullptr; }

int64_t pods() { return tiny() ? 50 : 5'000; }

// Equal over all runs of one benchmark: iterations and --benchmark_repetitions.
void check_hash(benchmark::State& state, const std::string& name, const Trace& trace) {
  static std::map<std::string, std::string> hashes;
  const auto [known, fresh] = hashes.emplace(name, trace.hash());
  CHECK(known->second == trace.hash()) << name << ": " << known->second << " and then " << trace.hash();
  state.SetLabel(cat("sha256:", known->second, fresh ? "" : " again"));
}

benchmark::Counter seconds_each(const benchmark::State& state) {
  return {static_cast<double>(state.iterations()), benchmark::Counter::kIsRate | benchmark::Counter::kInvert};
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
void rollout(benchmark::State& state, const std::string& name, int64_t nodes, int64_t replicas) {
  if (tiny()) {
    nodes = 5;
    replicas = 50;
  }
  for (auto _ : state) {
    state.PauseTiming();
    Trace trace(control::Schema::builtin());
    auto deployment = std::make_unique<SimulatedDeployment>(nodes, &trace);
    state.ResumeTiming();
    deployment->scale_to(replicas);
    state.PauseTiming();
    check_hash(state, name, trace);
    deployment.reset();
    state.ResumeTiming();
  }
  state.counters["figure"] = seconds_each(state);
}

void rollout_1000n_10000p_s(benchmark::State& state) { rollout(state, "1000n", 1'000, 10'000); }
BENCHMARK(rollout_1000n_10000p_s)->Unit(benchmark::kMillisecond)->Iterations(2);

void rollout_5000n_150000p_s(benchmark::State& state) { rollout(state, "5000n", 5'000, 150'000); }
BENCHMARK(rollout_5000n_150000p_s)->Unit(benchmark::kMillisecond)->Iterations(2);

// The most memory that the process has had: a figure only when nothing else has run in it.
void rollout_150000n_1500000p_s(benchmark::State& state) {
  rollout(state, "150000n", 150'000, 1'500'000);
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  state.counters["rss_gib"] = static_cast<double>(usage.ru_maxrss) / (1 << 20);
}
BENCHMARK(rollout_150000n_1500000p_s)->Unit(benchmark::kMillisecond)->Iterations(1);

// What a sweep does again and again: ten machines boot, thirty pods start, one machine dies, its pods come
// back elsewhere.
void small_seeds_per_s(benchmark::State& state) {
  for (auto _ : state) {
    Trace trace(control::Schema::builtin());
    SimulatedDeployment deployment(10, &trace);
    deployment.scale_to(30);
    deployment.cluster().crash_node("node-3");
    deployment.advance(minutes(8));
    check_hash(state, "small", trace);
  }
  state.counters["figure"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(small_seeds_per_s)->Unit(benchmark::kMillisecond);

// A day in which nothing happens but heartbeats.
void idle_day_5000n_s(benchmark::State& state) {
  Trace trace(control::Schema::builtin());
  SimulatedDeployment deployment(tiny() ? 5 : 5'000, &trace);
  for (auto _ : state) deployment.advance(tiny() ? minutes(10) : hours(24));
  state.counters["figure"] = seconds_each(state);
}
BENCHMARK(idle_day_5000n_s)->Unit(benchmark::kMillisecond)->Iterations(1);

// How much faster than the clock on the wall a busy cluster goes: 5,000 machines with 20,000 pods that are
// probed every 10 s, of which a rolling update replaces three a second: thirty at a time, each ready at its second probe.
void speedup_5000n(benchmark::State& state) {
  const int64_t replicas = tiny() ? 50 : 20'000;
  const Duration stretch = minutes(2);
  SimulatedDeployment deployment(tiny() ? 5 : 5'000);
  deployment.scale_to(replicas);
  deployment.set_surge(tiny() ? 1 : 30);
  int64_t version = 1;
  for (auto _ : state) {
    deployment.set_image(cat("web:", ++version));
    deployment.advance(stretch);
  }
  state.counters["figure"] =
      benchmark::Counter(static_cast<double>(stretch.seconds() * state.iterations()), benchmark::Counter::kIsRate);
}
BENCHMARK(speedup_5000n)->Unit(benchmark::kMillisecond)->Iterations(1);

}  // namespace

int main(int argc, char** argv) {
  minik::cli::start_with_huge_pages(argv);  // as `minik sim` does
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
}
