// What one look of a workload controller costs when all is as it should be: the caches and the
// decision, without the API. The figure is nanoseconds for each pod of the set.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <map>
#include <memory>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/controllers/daemon_set.h"
#include "control/controllers/stateful_set.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"

namespace {

using namespace minik;
using namespace minik::control;

int64_t pods_of_set() {
  return std::getenv("MINIK_BENCH_TINY") ? 10 : 5'000;
}

// A set whose pods are all there and ready, as the controller's caches hold it.
class SettledSet {
 public:
  SettledSet(ControllerSpec spec, KindId kind, std::string_view manifest)
      : spec_(std::move(spec)), kind_(kind) {
    for (const auto& watched : spec_.watches) {
      auto& cache = caches_[watched.kind];
      cache = std::make_unique<ObjectCache>(watched.kind);
      watched.declare_in(*cache);
      snapshot_.add(*cache);
    }
    put(kind, manifest);
  }

  void put(KindId kind, std::string_view manifest) {
    const auto documents = parse_yaml(manifest);
    CHECK(documents);
    for (const auto& document : *documents) caches_.at(kind)->put(document.value);
  }
  // Carries the revision and the status of a plan out, until nothing is left to write.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      for (const auto& write : decide().writes) {
        const auto& request = write.request;
        if (request.kind == kinds::kControllerrevisions || request.kind == kind_) {
          caches_.at(request.kind)->put(request.body);
        }
      }
    }
    CHECK(decide().writes.empty());
  }
  // The revision that the set's pods are to be of, before there are any.
  Value revision() {
    for (const auto& write : decide().writes) {
      if (write.request.kind == kinds::kControllerrevisions) return write.request.body;
    }
    return {};
  }
  Plan decide() {
    Env env{WallTime{}, rng_};
    return spec_.decide(snapshot_, {"default", "set"}, env);
  }

 private:
  ControllerSpec spec_;
  KindId kind_;
  std::map<KindId, std::unique_ptr<ObjectCache>> caches_;
  Snapshot snapshot_;
  Rng rng_{1};
};

std::string manifest_of(std::string_view further) {
  return cat(
      "metadata: {name: set, namespace: default, uid: set, generation: 1}\nspec: {", further,
      "selector: {matchLabels: {app: set}}, updateStrategy: {type: RollingUpdate, rollingUpdate: "
      "{maxUnavailable: 1, maxSurge: 0}}, template: {metadata: {labels: {app: set}}, spec: {"
      "containers: [{name: main, image: 'main:1'}]}}}\n");
}

std::string pod_of(int64_t number, std::string_view revision, std::string_view kind) {
  return cat("metadata: {name: set-", number, ", namespace: default, uid: pod-", number,
             ", labels: {app: set, controller-revision-hash: ", revision,
             ", statefulset.kubernetes.io/pod-name: set-", number,
             ", apps.kubernetes.io/pod-index: '", number,
             "'}, ownerReferences: [{apiVersion: apps/v1, kind: ", kind,
             ", name: set, uid: set, controller: true}]}\nspec: {nodeName: node-", number,
             "}\nstatus: {phase: Running, conditions: [{type: Ready, status: 'True'}]}\n");
}

void look_again(benchmark::State& state, SettledSet& set) {
  set.settle();
  for (auto _ : state) benchmark::DoNotOptimize(set.decide());
  // Seconds an iteration by the benchmark's own clock, then nanoseconds a pod.
  state.counters["per_pod_ns"] = benchmark::Counter(
      static_cast<double>(pods_of_set()) * 1e-9 * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void daemon_set(benchmark::State& state) {
  SettledSet set(daemon_set_controller(), kinds::kDaemonsets, manifest_of(""));
  const std::string hash =
      set.revision()[keys::kMetadata][keys::kLabels].get("controller-revision-hash").string();
  for (int64_t i = 0; i < pods_of_set(); ++i) {
    set.put(kinds::kNodes, cat("metadata: {name: node-", i, ", uid: node-", i, "}\nspec: {}\n"));
    set.put(kinds::kPods, pod_of(i, hash, "DaemonSet"));
  }
  look_again(state, set);
}
BENCHMARK(daemon_set)->Unit(benchmark::kMillisecond);

void stateful_set(benchmark::State& state) {
  SettledSet set(stateful_set_controller(), kinds::kStatefulsets,
                 manifest_of(cat("replicas: ", pods_of_set(), ", ")));
  const std::string revision(object_name(set.revision()));
  for (int64_t i = 0; i < pods_of_set(); ++i) {
    set.put(kinds::kPods, pod_of(i, revision, "StatefulSet"));
  }
  look_again(state, set);
}
BENCHMARK(stateful_set)->Unit(benchmark::kMillisecond);

}  // namespace
