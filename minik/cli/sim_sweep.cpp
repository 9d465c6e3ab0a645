// `minik sim sweep`: a scenario with many seeds, here on all cores or as a Job on other machines, and the results of
// either; `minik sim swarm`: the scenario that a seed draws.
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/yaml.h"
#include "minik/cli/annotations.h"
#include "minik/cli/simulation.h"
#include "minik/cli/sweep.h"
#include "runtime/container/files.h"
#include "sim/sha256.h"
#include "sim/swarm.h"
#include "sim/sweep_job.h"

namespace minik::cli {

namespace {

constexpr size_t kFailuresShown = 10;

struct SweepFlags {
  std::string path, seeds, shard, junit, results, code_quality, annotations = "auto", output = "text", image;
  std::vector<std::string> merge;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  uint64_t stop_after = 0, pods = 8;
  bool swarm = false, emit_job = false, exit_zero = false;
};

[[noreturn]] void not_valid(std::string message) { fail(Error(ErrorCode::kBadRequest, std::move(message)), kNotValid); }

// "A..B", both included, or the number of seeds from 0 on.
sim::SeedRange parse_seeds(const std::string& text) {
  const size_t dots = text.find("..");
  const auto first = dots == std::string::npos ? std::optional<uint64_t>(0) : parse_uint64(text.substr(0, dots));
  const auto second = parse_uint64(dots == std::string::npos ? text : text.substr(dots + 2));
  const bool count = dots == std::string::npos;
  if (!first || !second || (count && *second == 0) || (!count && *second < *first)) {
    not_valid(cat("--seeds ", text, ": give a range such as 0..999, or a number such as 1000"));
  }
  return {*first, count ? *second - 1 : *second};
}

// "3/16": the fourth of sixteen.
std::optional<sim::SeedRange> shard(const std::string& text, sim::SeedRange all) {
  const size_t slash = text.find('/');
  const auto index = parse_uint64(text.substr(0, slash));
  const auto count = slash == std::string::npos ? std::nullopt : parse_uint64(text.substr(slash + 1));
  if (!index || !count || *index >= *count) not_valid(cat("--shard ", text, ": give INDEX/COUNT, such as 0/16 to 15/16"));
  return sim::shard_of(all, *index, *count);
}

// One line on a terminal that is written over and over, nothing elsewhere.
class Progress {
 public:
  explicit Progress(uint64_t seeds) : seeds_(seeds), terminal_(isatty(STDERR_FILENO) != 0) {}
  ~Progress() { clear(); }

  void add(const sim::SeedResult& result) {
    ++done_;
    failed_ += result.passed() ? 0 : 1;
    if (!terminal_) return;
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun_).count();
    const auto left = milliseconds(passed * static_cast<int64_t>(seeds_ - done_) / static_cast<int64_t>(done_));
    std::fprintf(stderr, "\r%llu of %llu seeds, %llu failed, %lld a second, %s left \033[K", static_cast<unsigned long long>(done_),
                 static_cast<unsigned long long>(seeds_), static_cast<unsigned long long>(failed_),
                 static_cast<long long>(static_cast<int64_t>(done_) * 1000 / std::max<int64_t>(1, passed)),
                 format_duration(seconds(left.milliseconds() / 1000)).c_str());
    std::fflush(stderr);
  }
  void clear() const {
    if (terminal_ && done_ > 0) std::fputs("\r\033[K", stderr);
  }
  uint64_t failed() const { return failed_; }

 private:
  using Clock = std::chrono::steady_clock;
  const uint64_t seeds_;
  const bool terminal_;
  const Clock::time_point begun_ = Clock::now();
  uint64_t done_ = 0, failed_ = 0;
};

class SweepReport {
 public:
  SweepReport(const SweepFlags& flags, const sim::Scenario& scenario, std::vector<sim::SeedResult> results)
      : flags_(flags), scenario_(scenario), results_(std::move(results)), failures_(sim::failures_of(results_)) {
    for (const auto& result : results_) passed_ += result.passed() ? 1 : 0;
  }

  void write() const {
    if (!flags_.results.empty()) {
      std::string lines;
      for (const auto& result : results_) lines += sim::write_result(result) + "\n";
      if (flags_.results == "-") {
        std::fputs(lines.c_str(), stdout);
      } else {
        check(write_report(flags_.results, lines));
      }
    }
    if (!flags_.junit.empty()) check(write_report(flags_.junit, sim::junit_of_sweep(scenario_.name, file(), results_)));
    if (!flags_.code_quality.empty()) check(write_report(flags_.code_quality, code_quality(file(), scenario_, findings())));
  }

  void tell() const {
    if (flags_.output == "json") {
      std::printf("%s\n", control::to_json(as_json()).c_str());
      return;
    }
    for (size_t i = 0; i < std::min(failures_.size(), kFailuresShown); ++i) {
      const auto& failure = failures_[i];
      std::printf("FAILED  %s (%llu of %zu seeds)%s%s\n        reproduce: %s\n", failure.what.c_str(),
                  static_cast<unsigned long long>(failure.times), results_.size(), failure.detail.empty() ? "" : ": ",
                  failure.detail.c_str(), reproduce(failure.first_seed).c_str());
    }
    if (failures_.size() > kFailuresShown) std::printf("… and %zu other findings\n", failures_.size() - kFailuresShown);
    for (size_t i = 0; i < failures_.size(); ++i) {
      annotate(flags_.annotations, file(), scenario_, {findings()[i]}, reproduce(failures_[i].first_seed));
    }
    std::printf("%zu of %zu seeds passed\n", passed_, results_.size());
  }

  bool passed() const { return passed_ == results_.size(); }

 private:
  std::string file() const { return flags_.swarm ? "swarm" : flags_.path; }
  std::string reproduce(uint64_t seed) const {
    if (flags_.swarm) return cat("minik sim run --swarm --seed ", seed);
    return reproduce_line(flags_.path.empty() ? "SCENARIO" : flags_.path, seed);
  }
  std::vector<sim::Finding> findings() const {
    std::vector<sim::Finding> all;
    for (const auto& failure : failures_) {
      all.push_back({failure.what, false, {},
                     cat(failure.times, " of ", results_.size(), " seeds fail, the first is ", failure.first_seed,
                         failure.detail.empty() ? "" : ": ", failure.detail)});
    }
    return all;
  }
  control::Value as_json() const {
    using control::Value;
    std::vector<Value> failures;
    for (const auto& failure : failures_) {
      failures.push_back(Value::map({{"what", failure.what},
                                     {"seeds", static_cast<int64_t>(failure.times)},
                                     {"firstSeed", cat(failure.first_seed)},
                                     {"detail", failure.detail},
                                     {"reproduce", reproduce(failure.first_seed)}}));
    }
    return Value::map({{"scenario", scenario_.name},
                       {"seeds", static_cast<int64_t>(results_.size())},
                       {"passed", static_cast<int64_t>(passed_)},
                       {"failures", Value::array(std::move(failures))}});
  }

  const SweepFlags& flags_;
  const sim::Scenario& scenario_;
  const std::vector<sim::SeedResult> results_;
  const std::vector<sim::Failure> failures_;
  size_t passed_ = 0;
};

// A name that Kubernetes takes.
std::string job_name(std::string name) {
  name = to_lower(name);
  for (auto& c : name) {
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) c = '-';
  }
  constexpr size_t kLongest = 50;
  name = cat("sweep-", name).substr(0, kLongest);
  name.erase(name.find_last_not_of('-') + 1);
  return name;
}

void emit_job(const SweepFlags& flags, const std::string& text, const sim::Scenario& scenario) {
  if (flags.image.empty()) {
    not_valid("--emit-job needs --image: one that the cluster's nodes can pull, with minik as its entry point; where nodes are those of "
              "`minik start` it is minik/demo:latest");
  }
  const auto range = parse_seeds(flags.seeds);
  sim::SweepJob job;
  job.name = job_name(flags.swarm ? "swarm" : scenario.name);
  job.scenario = text;
  job.image = flags.image;
  job.seeds = cat(range.first, "..", range.last);
  job.pods = job.parallelism = std::max<uint64_t>(1, flags.pods);
  job.swarm = flags.swarm;
  std::printf("# kubectl apply -f this file, then:\n"
              "#   kubectl wait --for=condition=Complete --timeout=1h job/%s\n"
              "#   kubectl logs -l batch.kubernetes.io/job-name=%s --tail=-1 --max-log-requests=%llu > results.txt\n"
              "#   minik sim sweep %s--seeds %s --merge results.txt\n%s",
              job.name.c_str(), job.name.c_str(), static_cast<unsigned long long>(job.pods),
              flags.swarm ? "--swarm " : cat(shell_word(flags.path), " ").c_str(), job.seeds.c_str(), value_or_fail(sim::job_manifest(job)).c_str());
}

// Whatever became of the pod that ran it, a seed without a result has not passed.
void add_missing(std::vector<sim::SeedResult>& results, sim::SeedRange range) {
  constexpr size_t kMissingMax = 1'000'000;
  const auto missing = sim::missing_seeds(results, range, kMissingMax);
  if (missing.size() == kMissingMax) not_valid(cat("--merge: of the seeds that --seeds asks for, a million or more have no result"));
  const std::string all = cat("there is none of seeds ", sim::seeds_text(missing));
  for (const uint64_t seed : missing) {
    auto result = sim::broken_result(seed, all);
    result.failed[0].what = "its result is in the files";
    results.push_back(std::move(result));
  }
  std::ranges::sort(results, {}, &sim::SeedResult::seed);
}

// `scenario` is its identity, empty when no file is given: then results need only be of the same one.
std::vector<sim::SeedResult> merge(const SweepFlags& flags, const std::string& scenario) {
  std::string logs;
  for (const auto& path : flags.merge) {
    auto text = runtime::read_whole_file(path == "-" ? "/dev/stdin" : path);
    if (!text) fail(text.error(), kNotValid);
    logs += *text + "\n";
  }
  const sim::SeedRange range = parse_seeds(flags.seeds);
  auto merged = sim::merge_results(logs, scenario, range);
  const auto refuse = [&](const std::vector<uint64_t>& seeds, std::string_view why) {
    if (!seeds.empty()) not_valid(cat("--merge: ", why, ": the results of seeds ", sim::seeds_text(seeds)));
  };
  refuse(merged.foreign, "not every result is of this scenario as its file stands now");
  refuse(merged.unasked, cat("not every result is of --seeds ", flags.seeds));
  if (merged.results.empty()) not_valid("there is no result in the files: they come from `minik sim sweep --results -`");
  for (const auto seed : merged.disagreeing) {
    std::printf("FAILED  seed %llu has two results that differ: not every machine ran the same minik\n", static_cast<unsigned long long>(seed));
  }
  if (!merged.disagreeing.empty()) throw Exit{kFailed};
  add_missing(merged.results, range);
  return std::move(merged.results);
}

std::vector<sim::SeedResult> run_here(const SweepFlags& flags, const sim::Scenario& scenario) {
  auto range = std::optional(parse_seeds(flags.seeds));
  if (!flags.shard.empty()) range = shard(flags.shard, *range);
  if (!range) return {};
  SweepOptions options;
  options.first = range->first;
  options.last = range->last;
  options.jobs = std::max(1U, flags.jobs);
  if (flags.swarm) {
    options.draw = [](uint64_t seed) {
      return sim::parse_scenario(control::to_yaml(sim::swarm_scenario(seed)), cat("swarm-", seed));
    };
  }
  Progress progress(range->last - range->first + 1);
  options.on_result = [&](const sim::SeedResult& result) {
    progress.add(result);
    return flags.stop_after == 0 || progress.failed() < flags.stop_after;
  };
  return value_or_fail(sweep(scenario, options));
}

void run_sweep(SweepFlags& flags) {
  if (flags.seeds.empty()) {
    if (!flags.merge.empty()) not_valid("--merge needs --seeds, those that were asked for: without them nobody knows which results are missing");
    flags.seeds = "100";
  }
  for (const auto& path : {flags.junit, flags.code_quality, flags.results == "-" ? "" : flags.results}) check_writable(path);
  if (flags.path.empty() != flags.swarm && !(flags.path.empty() && !flags.merge.empty())) {
    not_valid("needs a scenario's file, or --swarm without one");
  }
  WholeScenario whole;
  whole.scenario.name = flags.swarm ? "swarm" : "merged";
  if (!flags.path.empty()) whole = load_whole_scenario(flags.path);
  const sim::Scenario& scenario = whole.scenario;
  const std::string identity = flags.swarm ? "swarm" : flags.path.empty() ? "" : sim::sha256_of(whole.text);
  if (flags.emit_job) {
    emit_job(flags, whole.text, scenario);
    return;
  }
  auto results = flags.merge.empty() ? run_here(flags, scenario) : merge(flags, identity);
  for (auto& result : results) result.scenario = identity;
  const SweepReport report(flags, scenario, std::move(results));
  report.write();
  report.tell();
  if (!report.passed() && !flags.exit_zero) throw Exit{kFailed};
}

}  // namespace

void add_sweep(Command sim) {
  const auto command = sim.add_command(
      "sweep", "Run a scenario with many seeds on all cores; exit 0 when all hold, 1 when one does not");
  command.footer("Examples: minik sim sweep scenarios/zone-outage.yaml --seeds 0..999\n"
                 "          minik sim sweep --swarm --seeds 1000\n"
                 "          minik sim sweep my-scenario.yaml --seeds 0..99999 --emit-job --pods 50 --image registry/minik:1 | kubectl apply -f -");
  static SweepFlags flags;
  command.add_option("file", flags.path, "The scenario, - for standard input");
  command.add_flag("--swarm", flags.swarm, "Each seed draws a whole scenario of its own");
  command.add_option("--seeds", flags.seeds, "A range A..B, or how many from 0 on; 100 without this");
  command.add_option("--shard", flags.shard, "INDEX/COUNT: only this part of the seeds");
  command.add_option("--jobs", flags.jobs, "Runs at once").show_default();
  command.add_option("--stop-after", flags.stop_after, "Stop after so many seeds have failed; 0: never");
  command.add_option("--junit", flags.junit, "Write a test case for each seed to this file, as JUnit XML");
  command.add_option("--results", flags.results, "Write each seed's result to this file, as lines of JSON; - for standard output");
  command.add_option("--code-quality", flags.code_quality, "Write what failed to this file, as GitLab's code quality report");
  add_annotations_option(command, flags.annotations);
  command.add_flag("--emit-job", flags.emit_job, "Run nothing: print an Indexed Job that does it on a Kubernetes cluster");
  command.add_option("--pods", flags.pods, "Of that Job").show_default();
  command.add_option("--image", flags.image, "Of that Job: its nodes can pull it, and its entry point is minik");
  command.add_option("--merge", flags.merge, "Run nothing: report the results of --seeds in these files, such as the logs of that Job");
  command.add_flag("--exit-zero", flags.exit_zero, "Exit 0 although seeds failed: the results say so");
  add_output_option(command, flags.output);
  command.callback([] { run_sweep(flags); });

  static uint64_t seed = 0;
  const auto swarm = sim.add_command("swarm", "Print the scenario that a seed of a swarm draws, to keep it or change it");
  swarm.footer("Example: minik sim swarm --seed 42 > found.yaml && minik sim run found.yaml");
  swarm.add_option("--seed", seed, "As sweep --swarm named it").required();
  swarm.callback([] {
    std::printf("# Drawn by `minik sim swarm --seed %llu`.\n%s", static_cast<unsigned long long>(seed),
                control::to_yaml(sim::swarm_scenario(seed)).c_str());
  });
}

}  // namespace minik::cli
