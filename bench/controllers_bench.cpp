// What one look of each controller costs when all is as it should be: the caches and the decision, without the
// API. A simulated cluster with something of every kind comes to rest; then every controller looks at each of
// its objects. The figure is microseconds for an object. And what all their caches keep of a pod.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <chrono>
#include <cstdlib>

#include "bench/simulated_deployment.h"
#include "control/controllers/controller_manager.h"
#include "control/object/yaml.h"

namespace {

using namespace minik;
using namespace minik::control;
using minik::sim::SimulatedDeployment;

bool tiny() { return std::getenv("MINIK_BENCH_TINY") != nullptr; }

// %s stands for a number.
constexpr std::string_view kOfEach = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: d-%s}
spec:
  replicas: 20
  selector: {matchLabels: {app: d-%s}}
  template: {metadata: {labels: {app: d-%s}}, spec: {containers: [{name: c, image: web:1, ports: [{containerPort: 80}]}]}}
---
apiVersion: v1
kind: Service
metadata: {name: d-%s}
spec: {selector: {app: d-%s}, ports: [{port: 80}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: d-%s}
spec: {minAvailable: 90%, selector: {matchLabels: {app: d-%s}}}
---
apiVersion: v1
kind: ReplicationController
metadata: {name: r-%s}
spec: {replicas: 5, selector: {app: r-%s}, template: {metadata: {labels: {app: r-%s}}, spec: {containers: [{name: c, image: web:1}]}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: s-%s}
spec:
  replicas: 5
  podManagementPolicy: Parallel
  serviceName: s-%s
  selector: {matchLabels: {app: s-%s}}
  template: {metadata: {labels: {app: s-%s}}, spec: {containers: [{name: c, image: web:1}]}}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: a-%s}
spec: {selector: {matchLabels: {app: a-%s}}, template: {metadata: {labels: {app: a-%s}}, spec: {containers: [{name: c, image: web:1}]}}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: j-%s}
spec: {parallelism: 10, completions: 10, completionMode: Indexed, ttlSecondsAfterFinished: 86400, template: {spec: {restartPolicy: Never, containers: [{name: c, image: web:1}]}}}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: c-%s}
spec: {schedule: "0 3 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: web:1}]}}}}}
---
apiVersion: v1
kind: Service
metadata: {name: e-%s}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: e-%s}
subsets: [{addresses: [{ip: 10.1.1.1}], ports: [{port: 80}]}]
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: q-%s}
spec: {hard: {pods: 100k, services: 1k}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: g-%s}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {part: "true"}}]}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: p-%s}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE], resources: [deployments]}]}
  validations: [{expression: "object.spec.replicas <= 5"}]
)";

void fill(SimulatedDeployment& deployment) {
  const int64_t sets = tiny() ? 1 : 20;
  for (int64_t i = 0; i < sets; ++i) {
    std::string manifest(kOfEach);
    for (size_t at = manifest.find("%s"); at != std::string::npos; at = manifest.find("%s"))
      manifest.replace(at, 2, cat(i));
    const auto documents = parse_yaml(manifest);
    CHECK(documents) << documents.error().message;
    for (const auto& document : *documents) {
      const auto* resource = Schema::builtin().find_kind(document.value[keys::kApiVersion].as_string(),
                                                         document.value[keys::kKind].as_string());
      ApiRequest request;
      request.verb = Verb::kCreate;
      request.kind = resource->id;
      if (resource->namespaced) request.namespace_ = "default";
      request.body = document.value;
      deployment.send(std::move(request));
    }
  }
  deployment.cluster().executor().run_until(deployment.cluster().executor().now() + minutes(15));
}

SimulatedDeployment& settled() {
  static SimulatedDeployment& cluster = [&]() -> SimulatedDeployment& {
    static SimulatedDeployment made(tiny() ? 3 : 100);
    made.scale_to(tiny() ? 20 : 5'000);
    fill(made);
    return made;
  }();
  return cluster;
}

// The caches of one controller, as its informers would have filled them.
class World {
 public:
  World(const ControllerSpec& spec, const Store& store) {
    for (const auto& watched : spec.watches) {
      auto& cache = caches_[watched.kind];
      if (!cache) cache = std::make_unique<ObjectCache>(watched.kind);
      watched.declare_in(*cache);
      snapshot_.add(*cache);
    }
    for (auto& [kind, cache] : caches_)
      store.for_each(kind, [&cache](const Value& object) { cache->put(object); });
    if (const auto found = caches_.find(spec.kind); found != caches_.end()) {
      for (const auto& object : found->second->list()) keys_.push_back(key_of(object));
    }
  }
  const Snapshot& snapshot() const { return snapshot_; }
  const std::vector<ObjectKey>& keys() const { return keys_; }

 private:
  std::map<KindId, std::unique_ptr<ObjectCache>> caches_;
  Snapshot snapshot_;
  std::vector<ObjectKey> keys_;
};

void look(benchmark::State& state, const ControllerSpec& spec) {
  auto& cluster = settled().cluster();
  const World world(spec, cluster.store());
  Rng rng(1);
  for (auto _ : state) {
    Env env{cluster.executor().wall_now(), rng};
    for (const auto& key : world.keys()) benchmark::DoNotOptimize(spec.decide(world.snapshot(), key, env));
  }
  const double looks = static_cast<double>(state.iterations()) * static_cast<double>(world.keys().size());
  if (world.keys().empty()) {
    state.SkipWithError("has no object to look at");
    return;
  }
  state.counters["us"] = benchmark::Counter(1e-6 * looks, static_cast<benchmark::Counter::Flags>(
                                                              benchmark::Counter::kIsRate | benchmark::Counter::kInvert));
}

// What the caches, indexes and tallies of all controllers keep of a pod, beside the store's own copy.
void caches_of_controllers(benchmark::State& state) {
  size_t bytes = 0, pods = 0;
  for (auto _ : state) {
    auto& cluster = settled().cluster();
    pods = cluster.store().count(kinds::kPods);
    const size_t before = mallinfo2().uordblks;
    cluster.stop_controllers();
    bytes = before - mallinfo2().uordblks;
    cluster.restart_controllers();
    cluster.executor().run_until(cluster.executor().now() + minutes(1));
  }
  state.counters["bytes_per_pod"] = static_cast<double>(bytes) / static_cast<double>(pods);
}

const int kRegistered = [] {
  ControllerManagerOptions options;  // without a signer: there are no certificate requests to look at
  options.cluster_ca_pem = "simulated";
  static const auto specs = controller_specs(Schema::builtin(), options);
  for (const auto& spec : specs) {
    benchmark::RegisterBenchmark(spec.name.c_str(), [&spec](benchmark::State& state) { look(state, spec); });
  }
  benchmark::RegisterBenchmark("caches_of_controllers", caches_of_controllers)->Iterations(1);
  return 0;
}();

}  // namespace
