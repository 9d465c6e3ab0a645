// Pods placed a second on one core, store and API included: the API server on a memory log, a
// scheduler that lists, watches and binds through a local client, and virtual time, so that nothing
// but work takes time. When the clock starts the pods are stored and the scheduler, which knows the
// nodes already, gets its list of pods; the clock stops when the last binding has come back by the
// watch. What it costs to get to know the nodes is a figure of its own. Nodes have the sizes of a
// mixed cluster and three zones.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <cstdlib>
#include <functional>

#include "control/api/api_server.h"
#include "control/api/local_client.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/scheduler/scheduler.h"
#include "control/schema/kinds.h"
#include "control/store/memory_log.h"
#include "sim/virtual_executor.h"

namespace {

using namespace minik;
using namespace minik::control;

Value json(std::string_view text) {
  auto value = parse_json(text);
  CHECK(value.ok()) << value.error().message;
  return *std::move(value);
}

// A client that keeps the list of pods back until release().
class WaitingClient : public Client {
 public:
  explicit WaitingClient(Client& client) : client_(client) {}
  void send(ApiRequest request, ResponseCallback done) override {
    if (request.verb != Verb::kList || request.kind != kinds::kPods) {
      client_.send(std::move(request), std::move(done));
    } else {
      kept_back_ = [this, request = std::move(request), done = std::move(done)]() mutable {
        client_.send(std::move(request), std::move(done));
      };
    }
  }
  std::unique_ptr<WatchHandle> watch(ApiRequest request, WatchCallbacks callbacks) override {
    return client_.watch(std::move(request), std::move(callbacks));
  }
  void release() { std::exchange(kept_back_, nullptr)(); }

 private:
  Client& client_;
  std::function<void()> kept_back_;
};

class World {
 public:
  explicit World(int64_t nodes) {
    api_.bootstrap();
    create(kinds::kServiceaccounts, "default", json(R"({"metadata":{"name":"default"}})"));
    for (int64_t i = 0; i < nodes; ++i) {
      const int64_t size = 8 << (i % 3);
      create(kinds::kNodes, "",
             json(cat(R"({"metadata":{"name":"node-)", i,
                      R"(","labels":{"kubernetes.io/hostname":"node-)", i,
                      R"(","topology.kubernetes.io/zone":"zone-)", i % 3,
                      R"("}},"status":{"allocatable":{"cpu":")", size, R"(","memory":")", size * 4,
                      R"(Gi","pods":"110"}}})")));
    }
  }

  void create(KindId kind, std::string_view namespace_, Value object) {
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kind;
    request.namespace_ = namespace_;
    request.body = std::move(object);
    client_.send(std::move(request), [](const Result<ApiResponse>& result) {
      CHECK(result.ok()) << result.error().message;
    });
    if (!scheduler_ && ++unsent_ % 1024 == 0) settle();
  }
  void add_pod(int64_t number, const Value& labels, const Value& spec) {
    create(kinds::kPods, "default",
           Value::map({{keys::kMetadata,
                        Value::map({{keys::kName, cat("pod-", number)}, {keys::kLabels, labels}})},
                       {keys::kSpec, spec}}));
  }
  // Everything that is due now, and nothing that waits for a timer.
  void settle() { executor_.run_until(executor_.now()); }

  // Up to where it knows everything but the pods.
  void start_scheduler() {
    informers_ = std::make_unique<InformerSet>(executor_, waiting_, Rng(2));
    events_ = std::make_unique<EventRecorder>(executor_, client_, kinds::kEvents,
                                              "default-scheduler", "", Rng(3));
    scheduler_ =
        std::make_unique<Scheduler>(executor_, client_, *informers_, *events_, metrics_, Rng(4));
    scheduler_->start();
    informers_->start();
    settle();
  }
  // Gives it the pods that are there, and waits for what comes of it.
  __attribute__((noinline)) void place_pods() {
    waiting_.release();
    settle();
  }
  size_t unbound() const {
    size_t unbound = 0;
    store_.for_each(kinds::kPods, [&](const Value& pod) {
      if (pod[keys::kSpec][keys::kNodeName].as_string().empty()) ++unbound;
    });
    return unbound;
  }

 private:
  sim::VirtualExecutor executor_{1, WallTime{1'767'225'600'000'000'000}};
  MetricRegistry metrics_;
  MemoryLog log_;
  Store store_{log_, [](const Error& error) { CHECK(false) << error.message; }};
  ApiServer api_{executor_, store_, Schema::builtin(), metrics_, Rng(1), {}};
  LocalClient client_{executor_, api_, component_user("system:kube-scheduler")};
  WaitingClient waiting_{client_};
  std::unique_ptr<InformerSet> informers_;
  std::unique_ptr<EventRecorder> events_;
  std::unique_ptr<Scheduler> scheduler_;
  uint64_t unsent_ = 0;
};

Value pod_spec(int64_t milli_cpu, int64_t mebibytes, std::string_view more = "") {
  return json(cat(R"({"terminationGracePeriodSeconds":0,)", more, more.empty() ? "" : ",",
                  R"("containers":[{"name":"web","image":"registry.example.com/shop/web:1.2.3",)",
                  R"("resources":{"requests":{"cpu":")", milli_cpu, R"(m","memory":")", mebibytes,
                  R"(Mi"}}}]})"));
}

bool tiny() {
  return std::getenv("MINIK_BENCH_TINY") != nullptr;
}

void check_all_bound(const World& world) {
  CHECK(world.unbound() == 0) << world.unbound() << " pods are not bound";
}

// Worlds of so many nodes in which `add` has stored so many pods; each is placed once. The answer is how many
// pods that were in all.
int64_t place(benchmark::State& state, int64_t nodes, int64_t pods,
              const std::function<void(World&, int64_t)>& add) {
  if (tiny()) {
    nodes = std::min<int64_t>(nodes, 60);
    pods = std::min<int64_t>(pods, nodes);
  }
  int64_t placed = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<World>(nodes);
    for (int64_t i = 0; i < pods; ++i) add(*world, i);
    world->settle();
    world->start_scheduler();
    state.ResumeTiming();
    world->place_pods();
    state.PauseTiming();
    check_all_bound(*world);
    placed += pods;
    world.reset();
    state.ResumeTiming();
  }
  return placed;
}

// Counters that become figures; what stands after the colon is the unit (bench/run).
void count_pods_per_second(benchmark::State& state, int64_t placed) {
  state.counters["figure:pods/s"] = benchmark::Counter(static_cast<double>(placed), benchmark::Counter::kIsRate);
}

const Value kWeb = json(R"({"app":"web"})");

int64_t place_identical(benchmark::State& state, int64_t nodes, int64_t pods, std::string_view rule = "") {
  const Value spec = pod_spec(100, 64, rule);
  return place(state, nodes, pods, [&](World& world, int64_t i) { world.add_pod(i, kWeb, spec); });
}

constexpr std::string_view kApart =
    R"("affinity":{"podAntiAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":[)"
    R"({"topologyKey":"kubernetes.io/hostname","labelSelector":{"matchLabels":{"app":"web"}}}]}})";
constexpr std::string_view kSpread =
    R"("topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"topology.kubernetes.io/zone",)"
    R"("whenUnsatisfiable":"DoNotSchedule","labelSelector":{"matchLabels":{"app":"web"}}},)"
    R"({"maxSkew":1,"topologyKey":"kubernetes.io/hostname","whenUnsatisfiable":"ScheduleAnyway",)"
    R"("labelSelector":{"matchLabels":{"app":"web"}}}])";

void identical_5000x5000(benchmark::State& state) {
  count_pods_per_second(state, place_identical(state, 5000, 5000));
}
// No two pods ask for the same, so that no order is of use twice.
void distinct_5000x5000(benchmark::State& state) {
  count_pods_per_second(state, place(state, 5000, 5000, [](World& world, int64_t i) {
                          world.add_pod(i, json(cat(R"({"app":"web-)", i, R"("})")),
                                        pod_spec(50 + i % 100, 32 + i / 100));
                        }));
}
void anti_affinity(benchmark::State& state) {
  count_pods_per_second(state, place_identical(state, 5000, 5000, kApart));
}
void topology_spread(benchmark::State& state) {
  count_pods_per_second(state, place_identical(state, 5000, 5000, kSpread));
}

// A cluster full of pods of half a node's CPU and less; each pod that comes, creation included, must evict one.
void preemption(benchmark::State& state) {
  const int64_t nodes = tiny() ? 60 : 5000;
  const Value low = pod_spec(2000, 64, R"("priority":0)");
  const Value high = pod_spec(2000, 64, R"("priorityClassName":"system-cluster-critical")");
  int64_t placed = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<World>(nodes);
    int64_t number = nodes;
    for (int64_t i = 0; i < nodes; ++i) {
      const Value spec = low.with(keys::kNodeName, cat("node-", i));
      for (int64_t n = 0; n < (4 << (i % 3)); ++n) world->add_pod(number++, kWeb, spec);
    }
    world->settle();
    world->start_scheduler();
    world->place_pods();
    for (int64_t i = 0; i < nodes; ++i) world->add_pod(i, kWeb, high);
    state.ResumeTiming();
    world->settle();
    state.PauseTiming();
    check_all_bound(*world);
    placed += nodes;
    world.reset();
    state.ResumeTiming();
  }
  count_pods_per_second(state, placed);
}

// Ten pods a node; the figure is how long the last one waits.
void million_pods_100k_nodes_s(benchmark::State& state) {
  place_identical(state, 100'000, 1'000'000);
  state.counters["figure:s"] = benchmark::Counter(
      1, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

// The same pods against clusters of any size: what a pod costs must not follow the number of nodes.
void pod_us(benchmark::State& state, int64_t nodes) {
  const int64_t placed = place_identical(state, nodes, 8000);
  state.counters["figure:us"] = benchmark::Counter(
      1e-6 * static_cast<double>(placed), static_cast<benchmark::Counter::Flags>(
                                              benchmark::Counter::kIsRate | benchmark::Counter::kInvert));
}
void pod_at_100_nodes_us(benchmark::State& state) { pod_us(state, 100); }
void pod_at_1000_nodes_us(benchmark::State& state) { pod_us(state, 1000); }
void pod_at_10000_nodes_us(benchmark::State& state) { pod_us(state, 10'000); }
void pod_at_100000_nodes_us(benchmark::State& state) { pod_us(state, 100'000); }

// What a node costs that the scheduler gets to know when it starts.
void node_at_start_us(benchmark::State& state) {
  const int64_t nodes = tiny() ? 60 : 100'000;
  int64_t known = 0;
  for (auto _ : state) {
    state.PauseTiming();
    auto world = std::make_unique<World>(nodes);
    world->settle();
    state.ResumeTiming();
    world->start_scheduler();
    state.PauseTiming();
    known += nodes;
    world.reset();
    state.ResumeTiming();
  }
  state.counters["figure:us"] = benchmark::Counter(
      1e-6 * static_cast<double>(known), static_cast<benchmark::Counter::Flags>(
                                             benchmark::Counter::kIsRate | benchmark::Counter::kInvert));
}

// What the scheduler keeps of a pod that is bound: its place in the informer's cache and on its
// node.
void memory_per_pod_bytes(benchmark::State& state) {
  const int64_t nodes = tiny() ? 10 : 1000, pods = nodes * 50;
  const Value spec = pod_spec(100, 64);
  size_t bytes = 0;
  for (auto _ : state) {
    World world(nodes);
    for (int64_t i = 0; i < pods; ++i) {
      world.add_pod(i, kWeb, spec.with(keys::kNodeName, cat("node-", i % nodes)));
    }
    world.settle();
    const size_t before = mallinfo2().uordblks;
    world.start_scheduler();
    world.place_pods();
    bytes = mallinfo2().uordblks - before;
  }
  state.counters["figure:B"] = static_cast<double>(bytes) / static_cast<double>(pods);
}

BENCHMARK(identical_5000x5000)->Unit(benchmark::kMillisecond);
BENCHMARK(distinct_5000x5000)->Unit(benchmark::kMillisecond);
BENCHMARK(anti_affinity)->Unit(benchmark::kMillisecond);
BENCHMARK(topology_spread)->Unit(benchmark::kMillisecond);
BENCHMARK(preemption)->Unit(benchmark::kMillisecond);
BENCHMARK(pod_at_100_nodes_us)->Unit(benchmark::kMillisecond);
BENCHMARK(pod_at_1000_nodes_us)->Unit(benchmark::kMillisecond);
BENCHMARK(pod_at_10000_nodes_us)->Unit(benchmark::kMillisecond);
BENCHMARK(pod_at_100000_nodes_us)->Unit(benchmark::kMillisecond);
BENCHMARK(node_at_start_us)->Unit(benchmark::kMillisecond);
BENCHMARK(memory_per_pod_bytes)->Unit(benchmark::kMillisecond);
BENCHMARK(million_pods_100k_nodes_s)->Unit(benchmark::kSecond);

}  // namespace
