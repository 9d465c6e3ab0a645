// What rules in the Common Expression Language cost: compiling one, and evaluating typical ones
// over a pod.
#include <benchmark/benchmark.h>

#include "bench/sample_pod.h"
#include "control/base/check.h"
#include "control/cel/program.h"

namespace {

using namespace minik::control;
using namespace minik::control::cel;

// A rule as admission policies have them: field access, a loop, text and a pattern.
constexpr const char* kRule =
    "object.spec.containers.all(c, c.image.matches('^[a-z0-9./:-]+$') && "
    "!c.image.endsWith(':latest')) && "
    "has(object.metadata.labels) && object.metadata.name.size() <= 63";
constexpr const char* kField = "object.spec.nodeName != ''";

const Environment& environment() {
  static const Environment made({{"object", Type()}});
  return made;
}

void compile_us(benchmark::State& state) {
  for (auto _ : state) {
    auto program = Program::compile(kRule, environment(), Kind::kBool);
    CHECK(program.ok());
    benchmark::DoNotOptimize(program);
  }
  state.counters["figure"] =
      benchmark::Counter(static_cast<double>(state.iterations()) / 1e6,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(compile_us);

void evaluate(benchmark::State& state, const char* expression) {
  const Value pod = sample_pod(7, 1);
  const auto program = Program::compile(expression, environment(), Kind::kBool);
  CHECK(program.ok());
  const Datum bindings[] = {Datum::document(pod)};
  for (auto _ : state) {
    auto held = program->evaluate_bool(bindings);
    CHECK(held.ok() && *held);
    benchmark::DoNotOptimize(held);
  }
  state.counters["figure"] =
      benchmark::Counter(static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}
void evaluations_per_s(benchmark::State& state) {
  evaluate(state, kRule);
}
BENCHMARK(evaluations_per_s);

void field_evaluations_per_s(benchmark::State& state) {
  evaluate(state, kField);
}
BENCHMARK(field_evaluations_per_s);

}  // namespace
