// minik sim compare: one scenario in a real cluster and in the simulator, and whether the objects went through the same
// states in both.
#include <cstdio>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/object_ref.h"
#include "minik/cli/command.h"
#include "minik/cli/real_cluster.h"
#include "minik/cli/simulation.h"
#include "runtime/container/files.h"
#include "sim/agreement/comparison.h"
#include "sim/run.h"

namespace minik::cli {

using control::Value;

namespace {

// The simulated world, write by write.
class Recorded : public sim::RunListener {
 public:
  void on_write(Instant, const control::LogRecord& record) override {
    for (const auto kind : kCompared) {
      if (resource_of(kind).id != record.kind || !is_compared(record.object)) continue;
      if (record.what == control::LogRecord::Kind::kDelete) {
        recorder_.see_deletion(kind, record.object);
      } else {
        recorder_.see(kind, record.object);
      }
    }
  }
  sim::WorldHistory history() const { return recorder_.history(); }

 private:
  sim::HistoryRecorder recorder_;
};

sim::WorldHistory in_simulation(const sim::Scenario& scenario, uint64_t seed) {
  Recorded recorded;
  sim::RunOptions options;
  options.seed = seed;
  options.leads_at_once = true;
  options.listeners.push_back(&recorded);
  sim::Run run(scenario, options);
  check(run.start());
  run.advance(scenario.duration, [] { return false; });
  return recorded.history();
}

void print(const std::vector<sim::Disagreement>& all, const sim::WorldHistory& real) {
  std::string object;
  for (const auto& one : all) {
    if (one.object != object) std::printf("%s\n", one.object.c_str());
    object = one.object;
    std::printf("  %s\n    real       %s\n    simulated  %s\n", one.path.c_str(), one.real.c_str(), one.simulated.c_str());
  }
  size_t paths = 0;
  for (const auto& [name, members] : real) {
    for (const auto& member : members) paths += member.paths.size();
  }
  std::printf("%s: %zu kinds of objects with %zu fields, %zu disagreements\n", all.empty() ? "real and simulated agree" : "FAILED",
              real.size(), paths, all.size());
}

struct CompareFlags {
  std::string path, format = "text";
  std::optional<uint64_t> seed;
  int64_t speed = 1;
};

void compare(const Globals& globals, const CompareFlags& flags) {
  const WholeScenario whole = load_whole_scenario(flags.path);
  const std::string text = flags.path == "-" ? whole.text : value_or_fail(runtime::read_whole_file(flags.path));
  const auto both = sim::comparable(whole.scenario, text, flags.path, flags.speed);
  if (!both) fail(both.error(), kNotValid);
  const auto simulated = in_simulation(both->scenario, flags.seed.value_or(both->scenario.seed));
  const auto real = RealCluster(value_or_fail(Profile::open(globals.profile)), *both).live_through();
  const auto all = sim::disagreements(real, simulated);
  if (flags.format == "json") {
    std::vector<Value> items;
    for (const auto& one : all) {
      items.push_back(Value::map({{"object", one.object}, {"path", one.path}, {"real", one.real}, {"simulated", one.simulated}}));
    }
    std::fputs(control::to_pretty_json(Value::array(std::move(items))).c_str(), stdout);
  } else {
    print(all, real);
  }
  if (!all.empty()) throw Exit{kFailed};
}

}  // namespace

void add_compare(Command sim, Globals& globals) {
  static CompareFlags flags;
  const auto command = sim.add_command(
      "compare", "Run a scenario in a real cluster and in the simulator, and compare the states of every object field by field");
  command.footer("Example: minik start -p agree && minik sim compare rollout.yaml -p agree\n"
                 "Images become the demo server, which behaves as the scenario says; stopApi, stopKubelets, crashComponent and restart end the daemon.\n"
                 "What a real cluster cannot be given is refused with its line.");
  command.add_option("file", flags.path, "The scenario: what is applied, changed and drained, and what fails, at a time").required();
  command.add_option("--speed", flags.speed,
                     "Moments and lengths of the scenario come so many times as fast in both worlds; probes and back-offs do not")
      .between(1, 1'000);
  command.add_option("--seed", flags.seed, "Of the simulated run, instead of the scenario's own");
  add_output_option(command, flags.format);
  command.callback([&globals] { compare(globals, flags); });
}

}  // namespace minik::cli
