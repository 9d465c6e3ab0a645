// Bad days (MINIK_SEEDS=1000 for a thousand of them): the scheduler is killed between its writes,
// its link is cut and slow, pods come and go. Whatever happens, no node is ever given more than it
// has and no rule of the pods is broken; and when the trouble ends, nobody waits who could run.
#include <cstdlib>
#include <set>

#include "control/base/rng.h"
#include "sim/invariants.h"
#include "sim/transport.h"
#include "tests/scheduler/scheduler_world.h"

namespace minik::control {
namespace {

uint64_t seeds() {
  const char* wanted = std::getenv("MINIK_SEEDS");
  return wanted ? parse_uint64(wanted).value_or(1) : 100;
}

class BadDay : public SchedulerWorld {
 public:
  explicit BadDay(uint64_t seed) : rng(seed) { kill(); }
  void TestBody() override {}

  // A new scheduler on a new link, with nothing remembered.
  void kill() {
    scheduler.reset();
    events.reset();
    informers.reset();
    link = std::make_unique<sim::SimulatedClient>(
        executor, [this] { return &api; }, "system:kube-scheduler", rng.fork(cat("link", ++lives)),
        sim::LinkDelays{}, nullptr);
    informers = std::make_unique<InformerSet>(executor, *link, rng.fork(cat("informers", lives)));
    events = std::make_unique<EventRecorder>(executor, *link, kinds::kEvents, "default-scheduler",
                                             "", Rng(3));
    scheduler = std::make_unique<Scheduler>(executor, *link, *informers, *events, metrics, Rng(4));
    scheduler->start();
    informers->start();
  }

  void live() {
    for (int i = 0; i < 6; ++i) add_node(cat("n", i), "2", "8Gi", cat("zone: z", i % 2));
    const std::string apart =
        "affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: "
        "[{topologyKey: "
        "kubernetes.io/hostname, labelSelector: {matchLabels: {app: apart}}}]}}";
    for (int step = 0; step < 40 && !HasFailure(); ++step) {
      const std::string name = cat("p", step);
      switch (rng.below(9)) {
        case 0:
          add_pod(name, requests("300m"), apart, "labels: {app: apart}");
          break;
        case 1:
        case 2:
          add_pod(name, requests("1"), "priorityClassName: system-cluster-critical");
          break;
        case 3:
          kill();
          break;
        case 4:
          link->set_connected(false);
          break;
        case 5:
          link->set_connected(true);
          break;
        case 6:
          remove_one();
          break;
        default:
          add_pod(name, requests("500m"));
      }
      pass(milliseconds(static_cast<int64_t>(rng.below(30))));
    }
    link->set_connected(true);
    pass(minutes(2));
  }

  void pass(Duration time) {
    const Instant end = executor.now() + time;
    executor.run_until(end, [this] {
      check();
      return HasFailure();
    });
  }

  void check() {
    if (store.revision() == checked) return;
    checked = store.revision();
    const auto overcommitted = sim::overcommitted_node(store);
    EXPECT_FALSE(overcommitted) << overcommitted.value_or("");
    std::set<std::string> hosts;
    store.for_each(kinds::kPods, [&](const Value& pod) {
      const auto host = pod[keys::kSpec][keys::kNodeName].string();
      if (host.empty() || pod[keys::kMetadata][keys::kLabels].get("app").as_string() != "apart")
        return;
      EXPECT_TRUE(hosts.insert(host).second) << "two pods that stay apart are on " << host;
    });
  }

  std::set<std::string> waiting() const {
    std::set<std::string> names;
    store.for_each(kinds::kPods, [&](const Value& pod) {
      if (pod[keys::kSpec][keys::kNodeName].as_string().empty()) names.emplace(object_name(pod));
    });
    return names;
  }

  void remove_one() {
    const auto all = store.list(kinds::kPods, "default");
    if (all->objects.empty()) return;
    const size_t chosen = rng.below(all->objects.size());
    remove(kinds::kPods, "default", std::string(object_name(all->objects[chosen])));
  }

  Rng rng;
  std::unique_ptr<sim::SimulatedClient> link;
  int lives = 0;
  Revision checked;
};

TEST(SchedulerFaults, NeverOvercommitAndLeaveNobodyBehind) {
  for (uint64_t seed = 1; seed <= seeds() && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(cat("seed ", seed));
    BadDay day(seed);
    day.live();
    const auto left = day.waiting();
    // A scheduler that has seen none of it finds nobody to place.
    day.kill();
    day.pass(minutes(1));
    EXPECT_EQ(day.waiting(), left);
  }
}

}  // namespace
}  // namespace minik::control
