#include <cstdio>

#include "control/base/text.h"
#include "minik/cli/command.h"
#include "runtime/container/files.h"
#include "sim/run.h"
#include "sim/scenario_schema.h"

namespace minik::cli {

namespace {

constexpr int kFailed = 1, kNotValid = 2;

sim::Scenario load(const std::string& path) {
  const auto text = runtime::read_whole_file(path == "-" ? "/dev/stdin" : path);
  if (!text) fail(text.error(), kNotValid);
  auto scenario = sim::parse_scenario(*text, path);
  if (!scenario) fail(scenario.error(), kNotValid);
  return *std::move(scenario);
}

void run(const std::string& path, std::optional<uint64_t> seed, const std::string& trace,
         bool quiet) {
  const sim::Scenario scenario = load(path);
  sim::RunOptions options;
  options.seed = seed.value_or(scenario.seed);
  options.trace_file = trace;
  if (!quiet) {
    std::printf("scenario %s, seed %llu\n", scenario.name.c_str(),
                static_cast<unsigned long long>(options.seed));
    options.on_action = [](Duration at, const std::string& what) {
      std::printf("%10s  %s\n", format_duration(milliseconds(at.milliseconds())).c_str(),
                  what.c_str());
    };
  }
  const auto outcome = value_or_fail(sim::run_scenario(scenario, options));
  for (const auto& finding : outcome.findings) {
    std::printf("%s  %s%s%s\n", finding.held ? "ok    " : "FAILED", finding.what.c_str(),
                finding.at.ns > 0 ? cat(" (at ", format_duration(finding.at), ")").c_str() : "",
                finding.held || finding.detail.empty() ? "" : cat(": ", finding.detail).c_str());
  }
  std::printf("%s virtual time, %llu writes, %llu steps\n",
              format_duration(outcome.virtual_time).c_str(),
              static_cast<unsigned long long>(outcome.writes),
              static_cast<unsigned long long>(outcome.steps));
  if (!outcome.passed()) {
    std::printf("reproduce: minik sim run %s --seed %llu\n", path.c_str(),
                static_cast<unsigned long long>(options.seed));
  }
  std::printf("trace sha256:%s\n", outcome.trace_hash.c_str());
  if (!outcome.passed()) throw Exit{kFailed};
}

}  // namespace

void add_sim(CLI::App& app) {
  auto* sim =
      app.add_subcommand("sim", "The control plane in virtual time against simulated machines");
  sim->require_subcommand(1);
  sim->footer("Example: minik sim run scenarios/rollout-with-node-loss.yaml --seed 7");
  static std::string path, trace;
  static uint64_t seed = 0;
  static bool quiet = false;
  auto* run_command = sim->add_subcommand(
      "run", "Run a scenario; exit 0 when all holds, 1 when not, 2 when the file is not valid");
  run_command->add_option("file", path, "The scenario, - for standard input")->required();
  auto* seed_option = run_command->add_option("--seed", seed, "Instead of the scenario's own seed");
  run_command->add_option("--trace", trace,
                          "Write every entry of the trace to this file, as lines of JSON");
  run_command->add_flag("-q,--quiet", quiet, "Only the findings and the hash");
  run_command->callback([seed_option] {
    run(path, seed_option->count() > 0 ? std::optional(seed) : std::nullopt, trace, quiet);
  });
  auto* validate = sim->add_subcommand("validate", "Check a scenario file without running it");
  static bool schema = false;
  validate->add_flag("--schema", schema, "Print the JSON Schema of scenarios, for editors, and check nothing");
  validate->add_option("file", path, "The scenario, - for standard input");
  validate->callback([] {
    if (schema) {
      std::fputs(std::string(sim::scenario_schema()).c_str(), stdout);
      return;
    }
    if (path.empty()) throw CLI::RequiredError("file");
    std::printf("%s is valid\n", load(path).name.c_str());
  });
}

}  // namespace minik::cli
