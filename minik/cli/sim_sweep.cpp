#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "control/base/text.h"
#include "minik/cli/simulation.h"
#include "minik/cli/sweep.h"

namespace minik::cli {

namespace {

constexpr size_t kFailuresShown = 10;

struct SweepFlags {
  std::string path, seeds = "100", junit, results;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  uint64_t stop_after = 0;
};

// "A..B", both included, or the number of seeds from 0 on.
void parse_seeds(const std::string& text, SweepOptions& options) {
  const size_t dots = text.find("..");
  const auto first = dots == std::string::npos ? std::optional<uint64_t>(0) : parse_uint64(text.substr(0, dots));
  const auto second = parse_uint64(dots == std::string::npos ? text : text.substr(dots + 2));
  const bool count = dots == std::string::npos;
  if (!first || !second || (count && *second == 0) || (!count && *second < *first)) {
    fail(Error(ErrorCode::kBadRequest,
               cat("--seeds ", text, ": give a range such as 0..999, or a number such as 1000")), kNotValid);
  }
  options.first = *first;
  options.last = count ? *second - 1 : *second;
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
    std::fprintf(stderr, "\r%llu of %llu seeds, %llu failed, %s left \033[K", static_cast<unsigned long long>(done_),
                 static_cast<unsigned long long>(seeds_), static_cast<unsigned long long>(failed_),
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

// The workflow command that GitHub shows beside the file.
std::string annotation(const std::string& file, const sim::Failure& failure) {
  std::string text = cat(failure.what, ": ", failure.times, " seeds fail, the first is ", failure.first_seed);
  for (size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n')) text.replace(at, 1, "%0A");
  return cat("::error file=", file, "::", text);
}

void tell(const SweepFlags& flags, const std::vector<sim::SeedResult>& results) {
  const auto failures = sim::failures_of(results);
  size_t passed = 0;
  for (const auto& result : results) passed += result.passed() ? 1 : 0;
  for (size_t i = 0; i < std::min(failures.size(), kFailuresShown); ++i) {
    const auto& failure = failures[i];
    std::printf("FAILED  %s (%llu of %zu seeds)%s%s\n        reproduce: minik sim run %s --seed %llu\n",
                failure.what.c_str(), static_cast<unsigned long long>(failure.times), results.size(),
                failure.detail.empty() ? "" : ": ", failure.detail.c_str(), flags.path.c_str(),
                static_cast<unsigned long long>(failure.first_seed));
    if (std::getenv("GITHUB_ACTIONS")) std::printf("%s\n", annotation(flags.path, failure).c_str());
  }
  if (failures.size() > kFailuresShown) std::printf("… and %zu other findings\n", failures.size() - kFailuresShown);
  std::printf("%zu of %zu seeds passed\n", passed, results.size());
}

void run_sweep(const SweepFlags& flags) {
  SweepOptions options;
  parse_seeds(flags.seeds, options);
  options.jobs = std::max(1U, flags.jobs);
  const sim::Scenario scenario = load_scenario(flags.path);
  std::vector<sim::SeedResult> results;
  {
    Progress progress(options.last - options.first + 1);
    options.on_result = [&](const sim::SeedResult& result) {
      progress.add(result);
      return flags.stop_after == 0 || progress.failed() < flags.stop_after;
    };
    results = value_or_fail(sweep(scenario, options));
  }
  if (!flags.results.empty()) {
    std::string lines;
    for (const auto& result : results) lines += sim::write_result(result) + "\n";
    check(write_report(flags.results, lines));
  }
  if (!flags.junit.empty()) check(write_report(flags.junit, sim::junit_of_sweep(scenario.name, flags.path, results)));
  tell(flags, results);
  for (const auto& result : results) {
    if (!result.passed()) throw Exit{kFailed};
  }
}

}  // namespace

void add_sweep(CLI::App& sim) {
  auto* command = sim.add_subcommand(
      "sweep", "Run a scenario with many seeds on all cores; exit 0 when all hold, 1 when one does not");
  command->footer("Example: minik sim sweep scenarios/zone-outage.yaml --seeds 0..999");
  static SweepFlags flags;
  command->add_option("file", flags.path, "The scenario, - for standard input")->required();
  command->add_option("--seeds", flags.seeds, "A range A..B, or how many from 0 on")->capture_default_str();
  command->add_option("--jobs", flags.jobs, "Runs at once")->capture_default_str();
  command->add_option("--stop-after", flags.stop_after, "Stop after so many seeds have failed; 0: never");
  command->add_option("--junit", flags.junit, "Write a test case for each seed to this file, as JUnit XML");
  command->add_option("--results", flags.results, "Write each seed's result to this file, as lines of JSON");
  command->callback([] { run_sweep(flags); });
}

}  // namespace minik::cli
