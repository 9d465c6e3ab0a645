#include <cstdio>
#include <fstream>

#include "control/base/text.h"
#include "control/object/json.h"
#include "minik/cli/command.h"
#include "minik/cli/simulation.h"
#include "minik/process/audit_log.h"
#include "runtime/container/files.h"
#include "sim/results.h"
#include "sim/run.h"
#include "sim/scenario_schema.h"

namespace minik::cli {

namespace {

struct RunFlags {
  std::string path, trace, junit, audit_log, audit_policy;
  std::optional<uint64_t> seed;
  bool quiet = false, check_determinism = false;
};

// Lines of audit.k8s.io/v1 Events into this file, as the daemon's audit log has them.
void audit_into(const RunFlags& flags, sim::RunOptions& options) {
  constexpr std::string_view kAll = "{apiVersion: audit.k8s.io/v1, kind: Policy, omitStages: [RequestReceived], "
                                    "rules: [{level: Request}]}";
  if (flags.audit_log.empty() && flags.audit_policy.empty()) return;
  if (flags.audit_log.empty()) fail(Error(ErrorCode::kBadRequest, "--audit-policy is for --audit-log FILE"), kNotValid);
  const std::string text = flags.audit_policy.empty() ? std::string(kAll) : value_or_fail(runtime::read_whole_file(flags.audit_policy));
  auto policy = parse_audit_policy(text, flags.audit_policy);
  if (!policy) fail(policy.error(), kNotValid);
  options.audit_policy = *std::move(policy);
  auto file = std::make_shared<std::ofstream>(flags.audit_log, std::ios::binary | std::ios::trunc);
  if (!*file) fail(Error(ErrorCode::kInternalError, cat("cannot write ", flags.audit_log, ": is its folder there?")));
  options.audit = [file](const control::AuditRecord& record) { *file << control::to_json(control::audit_event(record)) << "\n"; };
}

// The first entry in which two traces differ, as both tell it.
std::string first_difference(const std::string& one, const std::string& other) {
  std::ifstream a(one), b(other);
  std::string line_a, line_b;
  for (size_t entry = 1;; ++entry) {
    const bool more_a = static_cast<bool>(std::getline(a, line_a));
    const bool more_b = static_cast<bool>(std::getline(b, line_b));
    if (!more_a && !more_b) return "the entries are the same";
    if (more_a != more_b || line_a != line_b) {
      return cat("entry ", entry, "\n  first:  ", more_a ? line_a : "(none)", "\n  second: ", more_b ? line_b : "(none)");
    }
  }
}

// The same run once more: a difference is a mistake in minik, whatever the scenario is.
void check_determinism(const sim::Scenario& scenario, uint64_t seed, const std::string& hash) {
  sim::RunOptions again;
  again.seed = seed;
  if (value_or_fail(sim::run_scenario(scenario, again)).trace_hash == hash) {
    std::printf("the same trace twice\n");
    return;
  }
  const std::string base = cat("minik-trace-", seed);
  std::vector<std::string> files;
  for (const auto* name : {"-first.jsonl", "-second.jsonl"}) {
    again.trace_file = files.emplace_back(base + name);
    (void)value_or_fail(sim::run_scenario(scenario, again));
  }
  std::printf("FAILED  two runs of one seed differ: %s\nthe traces are in %s and %s\n",
              first_difference(files[0], files[1]).c_str(), files[0].c_str(), files[1].c_str());
  throw Exit{kFailed};
}

void run(const RunFlags& flags) {
  const std::string& path = flags.path;
  const bool quiet = flags.quiet;
  const sim::Scenario scenario = load_scenario(path);
  sim::RunOptions options;
  options.seed = flags.seed.value_or(scenario.seed);
  options.trace_file = flags.trace;
  audit_into(flags, options);
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
  if (!flags.junit.empty()) check(write_report(flags.junit, sim::junit_of_run(scenario.name, options.seed, outcome)));
  if (flags.check_determinism) check_determinism(scenario, options.seed, outcome.trace_hash);
  std::printf("trace sha256:%s\n", outcome.trace_hash.c_str());
  if (!outcome.passed()) throw Exit{kFailed};
}

}  // namespace

sim::Scenario load_scenario(const std::string& path) {
  const auto text = runtime::read_whole_file(path == "-" ? "/dev/stdin" : path);
  if (!text) fail(text.error(), kNotValid);
  // Manifests stand beside the scenario that names them.
  const std::string folder = path.find('/') == std::string::npos ? "" : path.substr(0, path.rfind('/') + 1);
  const sim::ScenarioFiles files{[&](const std::string& name) -> Result<std::string> {
    if (name == "-" && path == "-") return Error(ErrorCode::kBadRequest, "standard input is the scenario itself");
    if (name == "-") return runtime::read_whole_file("/dev/stdin");
    return runtime::read_whole_file(name.starts_with('/') ? name : folder + name);
  }};
  auto scenario = sim::parse_scenario(*text, path, files);
  if (!scenario) fail(scenario.error(), kNotValid);
  return *std::move(scenario);
}

Status write_report(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  if (!file) return Error(ErrorCode::kInternalError, cat("cannot write ", path, ": is its folder there and not full?"));
  return {};
}

void add_sim(CLI::App& app, Globals& globals) {
  auto* sim =
      app.add_subcommand("sim", "The control plane in virtual time against simulated machines");
  sim->require_subcommand(1);
  sim->footer("Example: minik sim run scenarios/rollout-with-node-loss.yaml --seed 7");
  static RunFlags flags;
  static uint64_t seed = 0;
  auto* run_command = sim->add_subcommand(
      "run", "Run a scenario; exit 0 when all holds, 1 when not, 2 when the file is not valid");
  run_command->add_option("file", flags.path, "The scenario, - for standard input")->required();
  auto* seed_option = run_command->add_option("--seed", seed, "Instead of the scenario's own seed");
  run_command->add_option("--trace", flags.trace,
                          "Write every entry of the trace to this file, as lines of JSON");
  run_command->add_option("--audit-log", flags.audit_log,
                          "Write what the API server was asked to this file, as lines of audit.k8s.io/v1 Events");
  run_command->add_option("--audit-policy", flags.audit_policy,
                          "An audit.k8s.io/v1 Policy for --audit-log, instead of the level Request for all")
      ->type_name("FILE");
  run_command->add_option("--junit", flags.junit, "Write the findings to this file, as JUnit XML");
  run_command->add_flag("--check-determinism", flags.check_determinism,
                        "Run twice and compare; name the first difference");
  run_command->add_flag("-q,--quiet", flags.quiet, "Only the findings and the hash");
  run_command->callback([seed_option] {
    if (seed_option->count() > 0) flags.seed = seed;
    run(flags);
  });
  add_sweep(*sim);
  add_serve(*sim);
  add_live_control(*sim);
  add_import(*sim);
  add_compare(*sim, globals);
  static std::string path;
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
    std::printf("%s is valid\n", load_scenario(path).name.c_str());
  });
}

}  // namespace minik::cli
