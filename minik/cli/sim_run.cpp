// `minik sim run`: one run, and all that can be written about it.
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/yaml.h"
#include "minik/cli/annotations.h"
#include "minik/cli/sim_audit.h"
#include "minik/cli/simulation.h"
#include "minik/cli/terminal_view.h"
#include "sim/metrics_recorder.h"
#include "sim/report/report.h"
#include "sim/run.h"
#include "sim/swarm.h"
#include "sim/trace_diff.h"

namespace minik::cli {

namespace {

struct RunFlags {
  std::string path, trace, junit, report, metrics, code_quality, annotations = "auto", output = "text";
  std::optional<uint64_t> seed;
  AuditFlags audit;
  bool managed_fields = false;
  control::FieldAccounts field_accounts() const {
    return managed_fields ? control::FieldAccounts::kAlways : control::FieldAccounts::kFromFirstClient;
  }
  bool quiet = false, check_determinism = false, swarm = false;
};

class Run {
 public:
  explicit Run(const RunFlags& flags)
      : flags_(flags),
        whole_(flags.swarm ? drawn(*flags.seed) : load_whole_scenario(flags.path)),
        scenario_(whole_.scenario),
        file_(flags.swarm ? "swarm" : flags.path),
        seed_(flags.seed.value_or(scenario_.seed)) {}

  void run() {
    sim::RunOptions options;
    options.seed = seed_;
    options.field_accounts = flags_.field_accounts();
    prepare_files(options);
    audit_into(flags_.audit, options);
    prepare_view(options);
    const auto outcome = value_or_fail(sim::run_scenario(scenario_, options));
    if (terminal_) terminal_->clear();
    const Status written = write_files(outcome);
    if (flags_.output == "json") {
      std::printf("%s\n", control::to_json(json_of(outcome)).c_str());
    } else {
      tell(outcome);
    }
    std::vector<sim::Finding> failed;
    for (const auto& finding : outcome.findings) {
      if (!finding.held) failed.push_back(finding);
    }
    annotate(flags_.annotations, file_, scenario_, failed, reproduce());
    if (flags_.check_determinism) check_determinism(outcome.trace_hash);
    if (flags_.output == "text") std::printf("trace sha256:%s\n", outcome.trace_hash.c_str());
    check(written);
    if (!outcome.passed()) throw Exit{kFailed};
  }

 private:
  static WholeScenario drawn(uint64_t seed) {
    WholeScenario whole;
    whole.text = control::to_yaml(sim::swarm_scenario(seed));
    whole.scenario = value_or_fail(sim::parse_scenario(whole.text, cat("swarm-", seed)));
    return whole;
  }

  std::string reproduce() const {
    const auto line = flags_.swarm ? cat("minik sim run --swarm --seed ", seed_) : reproduce_line(flags_.path, seed_);
    return cat(line, flags_.managed_fields ? " --managed-fields" : "");
  }

  void prepare_files(sim::RunOptions& options) {
    for (const auto& path : {flags_.report, flags_.metrics, flags_.junit, flags_.code_quality}) check_writable(path);
    if (!flags_.trace.empty()) {
      trace_ = std::make_unique<TraceFile>(flags_.trace);
      trace_->writer().begin(header());
      options.listeners.push_back(&trace_->writer());
    }
    if (!flags_.report.empty()) {
      report_ = std::make_unique<sim::RunReport>(scenario_, sim::RunReport::Subject{file_, seed_});
      options.listeners.push_back(report_.get());
    }
    if (!flags_.metrics.empty()) {
      metrics_ = std::make_unique<sim::MetricsRecorder>(sim::ClusterOptions().begin, scenario_.duration);
      options.listeners.push_back(metrics_.get());
    }
  }

  void prepare_view(sim::RunOptions& options) {
    if (flags_.quiet || flags_.output != "text") return;
    std::printf("scenario %s, seed %llu\n", scenario_.name.c_str(), static_cast<unsigned long long>(seed_));
    if (isatty(STDOUT_FILENO) != 0) {
      terminal_ = std::make_unique<TerminalView>(cat(scenario_.name, ", seed ", seed_), scenario_.duration);
      options.listeners.push_back(terminal_.get());
    } else {
      options.listeners.push_back(&plain_);
    }
  }

  Status write_files(const sim::RunOutcome& outcome) {
    if (trace_) {
      trace_->writer().end(outcome.virtual_time, outcome.trace_hash);
      MINIK_TRY(trace_->close());
    }
    if (report_) MINIK_TRY(write_report(flags_.report, report_->page(outcome)));
    if (metrics_) MINIK_TRY(write_report(flags_.metrics, metrics_->page()));
    if (!flags_.junit.empty()) MINIK_TRY(write_report(flags_.junit, sim::junit_of_run(scenario_.name, file_, seed_, outcome)));
    if (!flags_.code_quality.empty()) {
      const auto result = sim::result_of(seed_, outcome);
      MINIK_TRY(write_report(flags_.code_quality, code_quality(file_, scenario_, result.failed)));
    }
    return {};
  }

  void tell(const sim::RunOutcome& outcome) const {
    for (const auto& finding : outcome.findings) {
      std::printf("%s  %s%s%s\n", finding.held ? "ok    " : "FAILED", finding.what.c_str(),
                  finding.at.ns > 0 ? cat(" (at ", format_duration(finding.at), ")").c_str() : "",
                  finding.held || finding.detail.empty() ? "" : cat(": ", finding.detail).c_str());
    }
    std::printf("%s virtual time%s, %llu writes, %llu steps\n", format_duration(outcome.virtual_time).c_str(),
                terminal_ ? terminal_->speed(outcome.virtual_time).c_str() : "",
                static_cast<unsigned long long>(outcome.writes), static_cast<unsigned long long>(outcome.steps));
    if (!outcome.passed()) std::printf("reproduce: %s\n", reproduce().c_str());
  }

  control::Value json_of(const sim::RunOutcome& outcome) const {
    using control::Value;
    std::vector<Value> findings;
    for (const auto& finding : outcome.findings) {
      findings.push_back(Value::map({{"what", finding.what},
                                     {"held", finding.held},
                                     {"at", finding.at.ns > 0 ? Value(format_duration(finding.at)) : Value()},
                                     {"detail", finding.detail}}));
    }
    return Value::map({{"scenario", scenario_.name},
                       {"seed", cat(seed_)},
                       {"passed", outcome.passed()},
                       {"findings", Value::array(std::move(findings))},
                       {"virtualTime", format_duration(outcome.virtual_time)},
                       {"writes", static_cast<int64_t>(outcome.writes)},
                       {"steps", static_cast<int64_t>(outcome.steps)},
                       {"reproduce", reproduce()},
                       {"trace", cat("sha256:", outcome.trace_hash)}});
  }

  sim::TraceHeader header() const {
    auto header = trace_header(scenario_, whole_.text, file_, seed_);
    header.managed_fields = flags_.managed_fields;
    return header;
  }

  // The same run once more: a difference is a mistake in minik, whatever the scenario is.
  void check_determinism(const std::string& hash) {
    sim::RunOptions again;
    again.seed = seed_;
    again.field_accounts = flags_.field_accounts();
    const bool tells = flags_.output == "text";
    if (value_or_fail(sim::run_scenario(scenario_, again)).trace_hash == hash) {
      if (tells) std::printf("the same trace twice\n");
      return;
    }
    std::string files[2];
    for (size_t i = 0; i < 2; ++i) {
      files[i] = cat("minik-trace-", seed_, i == 0 ? "-first.jsonl" : "-second.jsonl");
      TraceFile trace(files[i]);
      trace.writer().begin(header());
      again.listeners = {&trace.writer()};
      const auto outcome = value_or_fail(sim::run_scenario(scenario_, again));
      trace.writer().end(outcome.virtual_time, outcome.trace_hash);
      check(trace.close());
    }
    TraceLines first(files[0]), second(files[1]);
    const auto divergence = sim::first_divergence([&] { return first.next(); }, [&] { return second.next(); });
    std::printf("FAILED  two runs of one seed differ\n%sthe traces are in %s and %s\n",
                divergence ? sim::describe(*divergence).c_str() : "the traces written afterwards are the same\n",
                files[0].c_str(), files[1].c_str());
    throw Exit{kFailed};
  }

  const RunFlags& flags_;
  const WholeScenario whole_;
  const sim::Scenario& scenario_;
  const std::string file_;
  const uint64_t seed_;
  std::unique_ptr<TraceFile> trace_;
  std::unique_ptr<sim::RunReport> report_;
  std::unique_ptr<sim::MetricsRecorder> metrics_;
  std::unique_ptr<TerminalView> terminal_;
  PlainView plain_;
};

}  // namespace

void add_run(Command sim) {
  static RunFlags flags;
  const auto command = sim.add_command(
      "run", "Run a scenario; exit 0 when all holds, 1 when not, 2 when the file is not valid");
  command.footer("Example: minik sim run scenarios/zone-outage.yaml --seed 7 --report out.html --trace out.jsonl");
  command.add_option("file", flags.path, "The scenario, - for standard input");
  command.add_flag("--swarm", flags.swarm, "Instead of a file: the scenario that the seed draws");
  command.add_option("--seed", flags.seed, "Instead of the scenario's own seed");
  command.add_option("--trace", flags.trace, "Write all that happens to this file, as lines of JSON");
  command.add_option("--report", flags.report, "Write a page that shows the run to this file, as HTML");
  command.add_option("--junit", flags.junit, "Write the findings to this file, as JUnit XML");
  command.add_option("--metrics", flags.metrics, "Write the metrics over virtual time to this file, as OpenMetrics text");
  command.add_option("--audit-log", flags.audit.log,
                     "Write what the API server was asked to this file, as lines of audit.k8s.io/v1 Events");
  command.add_option("--audit-policy", flags.audit.policy,
                     "An audit.k8s.io/v1 Policy for --audit-log, instead of all that changes something but statuses")
      .value_name("FILE");
  command.add_flag("--managed-fields", flags.managed_fields,
                   "Keep managedFields of what components write, too, as minik start does; a run takes more than twice the "
                   "time and half as much memory again");
  command.add_option("--code-quality", flags.code_quality, "Write what failed to this file, as GitLab's code quality report");
  add_annotations_option(command, flags.annotations);
  command.add_flag("--check-determinism", flags.check_determinism, "Run twice and compare; name the first difference");
  command.add_flag("-q,--quiet", flags.quiet, "Only the findings and the hash");
  add_output_option(command, flags.output);
  command.callback([] {
    if (flags.swarm ? !flags.path.empty() || !flags.seed : flags.path.empty()) {
      fail(Error(ErrorCode::kBadRequest, "needs a scenario's file, or --swarm and --seed without one"), kNotValid);
    }
    Run(flags).run();
  });
}

}  // namespace minik::cli
