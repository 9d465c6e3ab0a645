// What one look of a controller costs when nothing is to be done: the price of every change that
// turns out not to matter. The caches are as full as the argument says; no store, no API.
#include <benchmark/benchmark.h>

#include <map>
#include <memory>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/client/controller.h"
#include "control/controllers/cron_job.h"
#include "control/controllers/job.h"
#include "control/controllers/ttl_after_finished.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace {

using namespace minik;
using namespace minik::control;

constexpr std::string_view kNow = "2026-03-01T12:00:00Z";

class World {
 public:
  explicit World(ControllerSpec spec) : spec_(std::move(spec)) {
    for (const auto& watched : spec_.watches) {
      auto& cache = caches_[watched.kind];
      cache = std::make_unique<ObjectCache>(watched.kind);
      watched.declare_in(*cache);
      snapshot_.add(*cache);
    }
  }

  void add(KindId kind, std::string_view json) { caches_.at(kind)->put(parse_json(json).value()); }

  Plan decide(const ObjectKey& key) {
    Env env{*parse_time(kNow), rng_};
    return spec_.decide(snapshot_, key, env);
  }
  // What a status write of the plan leads to, so that the next look finds nothing to do.
  void settle(const ObjectKey& key) {
    const Plan plan = decide(key);
    for (const auto& write : plan.writes) {
      CHECK(write.request.subresource == "status") << "the world of a bench is not at rest";
      caches_.at(write.request.kind)->put(write.request.body);
    }
    CHECK(decide(key).writes.empty()) << "the world of a bench does not come to rest";
  }

 private:
  ControllerSpec spec_;
  std::map<KindId, std::unique_ptr<ObjectCache>> caches_;
  Snapshot snapshot_;
  Rng rng_{1};
};

void look(benchmark::State& state, World& world, const char* figure) {
  const ObjectKey key{"default", "it"};
  world.settle(key);
  for (auto _ : state) benchmark::DoNotOptimize(world.decide(key));
  state.counters[figure] =
      benchmark::Counter(1e-6 * static_cast<double>(state.iterations()),
                         static_cast<benchmark::Counter::Flags>(benchmark::Counter::kIsRate |
                                                                benchmark::Counter::kInvert));
}

std::string owned_by(std::string_view kind) {
  return cat(R"("namespace":"default","ownerReferences":[{"kind":")", kind,
             R"(","name":"it","uid":"owner","controller":true}])");
}

// With three Jobs of its history and one that runs.
void cron_job(benchmark::State& state) {
  World world(cron_job_controller({}));
  world.add(kinds::kCronjobs,
            R"({"metadata":{"name":"it","namespace":"default","uid":"owner",
                "creationTimestamp":"2026-01-01T00:00:00Z"},
                "spec":{"schedule":"0 */2 * * 1-5","jobTemplate":{}},
                "status":{"lastScheduleTime":"2026-03-01T12:00:00Z"}})");
  for (int hour = 6; hour <= 12; hour += 2) {
    const std::string time = cat("2026-03-01T", hour < 10 ? "0" : "", hour, ":00:00Z");
    world.add(kinds::kJobs,
              cat(R"({"metadata":{"name":"it-)", parse_time(time)->ns / minutes(1).ns,
                  R"(","uid":"job-)", hour, R"(",)", owned_by("CronJob"),
                  R"(,"annotations":{"batch.kubernetes.io/cronjob-scheduled-timestamp":")", time,
                  R"("}},"status":{"startTime":")", time, R"(","completionTime":")", time,
                  R"(","conditions":[{"type":"Complete","status":")", hour < 12 ? "True" : "False",
                  R"("}]}})"));
  }
  look(state, world, "look_us");
}
BENCHMARK(cron_job);

void ttl_after_finished(benchmark::State& state) {
  World world(ttl_after_finished_controller());
  world.add(
      kinds::kJobs,
      R"({"metadata":{"name":"it","namespace":"default"},"spec":{"ttlSecondsAfterFinished":60},
                "status":{"conditions":[{"type":"Complete","status":"True",
                "lastTransitionTime":"2026-03-01T11:59:30Z"}]}})");
  look(state, world, "look_us");
}
BENCHMARK(ttl_after_finished);

// With so many pods that run.
void job(benchmark::State& state) {
  const int64_t pods = state.range(0);
  World world(job_controller());
  world.add(kinds::kJobs, cat(R"({"metadata":{"name":"it","namespace":"default","uid":"owner"},
                    "spec":{"completions":)",
                              pods, R"(,"parallelism":)", pods,
                              R"(,"completionMode":"Indexed","backoffLimit":6,
                    "selector":{"matchLabels":{"job":"it"}},
                    "template":{"metadata":{"labels":{"job":"it"}},
                                "spec":{"restartPolicy":"Never","containers":[{"name":"a"}]}}},
                    "status":{"startTime":"2026-03-01T11:00:00Z"}})"));
  for (int64_t i = 0; i < pods; ++i) {
    world.add(kinds::kPods,
              cat(R"({"metadata":{"name":"it-)", i, R"(","uid":"pod-)", i, R"(",)", owned_by("Job"),
                  R"(,"labels":{"job":"it"},"finalizers":["batch.kubernetes.io/job-tracking"],
                      "annotations":{"batch.kubernetes.io/job-completion-index":")",
                  i,
                  R"("}},"spec":{"nodeName":"node"},"status":{"phase":"Running",
                      "conditions":[{"type":"Ready","status":"True"}]}})"));
  }
  look(state, world, "look_us");
}
BENCHMARK(job)->Arg(10)->Arg(1000);

}  // namespace
