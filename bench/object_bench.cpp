// What documents cost: reading, writing, changing, comparing and finding them.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdlib>

#include "bench/sample_pod.h"
#include "bench/simulated_deployment.h"
#include "control/object/keys.h"
#include "control/object/object_table.h"
#include "control/object/patch.h"
#include "control/object/quantity.h"
#include "control/object/selector.h"

namespace {

using namespace minik;
using namespace minik::control;

void per_second(benchmark::State& state, const char* counter, double each = 1) {
  state.counters[counter] = benchmark::Counter(each * static_cast<double>(state.iterations()),
                                               benchmark::Counter::kIsRate);
}

void parse_json_text(benchmark::State& state) {
  const std::string text = sample_pod_json(7, 1);
  for (auto _ : state) benchmark::DoNotOptimize(parse_json(text));
  per_second(state, "mb_per_s", static_cast<double>(text.size()) / 1e6);
}
BENCHMARK(parse_json_text);

void write_json_text(benchmark::State& state) {
  const Value pod = sample_pod(7, 1);
  std::string text;
  for (auto _ : state) {
    text.clear();
    write_json(pod, text);
  }
  per_second(state, "mb_per_s", static_cast<double>(text.size()) / 1e6);
}
BENCHMARK(write_json_text);

// A new version of a pod with one status field changed: the usual write.
void change_one_field(benchmark::State& state) {
  const Value pod = sample_pod(7, 1);
  const Value phases[] = {Value("Pending"), Value("Running")};
  size_t turn = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(pod.with_at({keys::kStatus, keys::kPhase}, phases[++turn & 1]));
  }
  per_second(state, "per_s");
}
BENCHMARK(change_one_field);

void read_one_field(benchmark::State& state) {
  const Value pod = sample_pod(7, 1);
  for (auto _ : state) benchmark::DoNotOptimize(pod[keys::kSpec][keys::kNodeName].as_string());
  per_second(state, "per_s");
}
BENCHMARK(read_one_field);

void compare_equal_documents(benchmark::State& state) {
  const Value a = sample_pod(7, 1), b = sample_pod(7, 1);
  for (auto _ : state) benchmark::DoNotOptimize(a == b);
  per_second(state, "per_s");
}
BENCHMARK(compare_equal_documents);

void make_a_merge_patch(benchmark::State& state) {
  const Value from = sample_pod(7, 1);
  const Value to = from.with_at({keys::kStatus, keys::kPhase}, "Failed");
  for (auto _ : state) benchmark::DoNotOptimize(make_merge_patch(from, to));
  per_second(state, "per_s");
}
BENCHMARK(make_a_merge_patch);

void match_a_selector(benchmark::State& state) {
  const Value pod = sample_pod(7, 1);
  const auto selector = *LabelSelector::parse("app=web,pod-template-hash in (6d4cf56db6,x),!old");
  const Value& labels = pod[keys::kMetadata][keys::kLabels];
  for (auto _ : state) benchmark::DoNotOptimize(selector.matches(labels));
  per_second(state, "per_s");
}
BENCHMARK(match_a_selector);

void parse_a_quantity(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(Quantity::parse("1536Mi"));
  per_second(state, "per_s");
}
BENCHMARK(parse_a_quantity);

void find_among_100k(benchmark::State& state) {
  ObjectTable table;
  constexpr size_t kObjects = 100'000;
  for (size_t i = 0; i < kObjects; ++i) {
    table.put(Value::map(
        {{"metadata", Value::map({{"namespace", "default"}, {"name", cat("web-", i)}})}}));
  }
  std::vector<std::string> names;
  for (size_t i = 0; i < 1024; ++i) names.push_back(cat("web-", i * 7919 % kObjects));
  size_t turn = 0;
  for (auto _ : state) benchmark::DoNotOptimize(table.find("default", names[++turn & 1023]));
  per_second(state, "per_s");
}
BENCHMARK(find_among_100k);

// As if nothing were shared.
void size_of_a_pod(benchmark::State& state) {
  const Value pod = sample_pod(7, 1);
  for (auto _ : state) benchmark::DoNotOptimize(pod.heap_bytes());
  state.counters["bytes"] = static_cast<double>(pod.heap_bytes());
  state.counters["json_bytes"] = static_cast<double>(to_json(pod).size());
}
BENCHMARK(size_of_a_pod);

// What the store's heap grows by for each pod of a running Deployment, as its controllers, the
// scheduler and kubelets left it; every pod is read from a text of its own.
void bytes_per_running_pod(benchmark::State& state) {
  const int64_t pods = std::getenv("MINIK_BENCH_TINY") ? 50 : 5'000;
  std::vector<std::string> texts;
  {
    sim::SimulatedDeployment deployment;
    deployment.scale_to(pods);
    deployment.cluster().store().for_each(kinds::kPods,
                                          [&](const Value& pod) { texts.push_back(to_json(pod)); });
  }
  size_t bytes = 0;
  for (auto _ : state) {
    MemoryLog log;
    Store store(log, [](const Error& error) { CHECK(false) << error.message; },
                {.window_events_max = 1});
    const size_t before = mallinfo2().uordblks;
    for (const auto& text : texts) {
      Value pod = *parse_json(text);
      store.put(kinds::kPods, pod.with_at({keys::kMetadata, keys::kResourceVersion},
                                          std::to_string(store.next_revision().value)));
      store.commit();
    }
    bytes = mallinfo2().uordblks - before;
  }
  state.counters["figure"] = static_cast<double>(bytes) / static_cast<double>(pods);
}
BENCHMARK(bytes_per_running_pod)->Unit(benchmark::kMillisecond);

}  // namespace
