// `minik sim shrink`: a failing run becomes a small scenario that still fails in the same way.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "control/base/text.h"
#include "control/object/yaml.h"
#include "minik/cli/run_pool.h"
#include "minik/cli/simulation.h"
#include "sim/run.h"
#include "sim/shrink.h"
#include "sim/shrink_target.h"

namespace minik::cli {

namespace {

using control::Value;
using Clock = std::chrono::steady_clock;

struct ShrinkFlags {
  std::string path, out, finding, time = "10m", output = "text";
  std::optional<uint64_t> seed;
  uint64_t runs = 2'000;
  unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
};

size_t lines_of(std::string_view text) { return static_cast<size_t>(std::ranges::count(text, '\n')); }

class Shrink {
 public:
  explicit Shrink(const ShrinkFlags& flags) : flags_(flags), terminal_(isatty(STDERR_FILENO) != 0) {
    const auto time = parse_duration(flags.time);
    if (!time || *time <= Duration{}) {
      fail(Error(ErrorCode::kBadRequest, cat("--time ", flags.time, ": give a duration such as 10m")), kNotValid);
    }
    time_max_ = *time;
    out_ = flags.out.empty() ? std::filesystem::path(flags.path == "-" ? "scenario" : flags.path).stem().string() + "-shrunk.yaml" : flags.out;
  }

  void run() {
    const auto [text, scenario] = load_whole_scenario(flags_.path);
    const uint64_t seed = flags_.seed.value_or(scenario.seed);
    Value document = control::parse_yaml(text, flags_.path)->at(0).value;
    // As they are written here, so that the two numbers can be compared.
    lines_before_ = lines_of(control::to_yaml(document));
    document = sim::with_named_expectations(document, scenario).with_at({"spec", "seed"}, seed > INT64_MAX ? Value(cat(seed)) : Value(static_cast<int64_t>(seed)));
    document = document.with("metadata", Value::map({{"name", scenario.name}}));
    choose_target(document);
    whole_ = document;
    if (flags_.output == "text") std::printf("shrinking: %s\n", target_.what.c_str());
    sim::ShrinkOptions options;
    options.first_failing = [this](const std::vector<Value>& candidates) { return first_failing(candidates); };
    options.on_smaller = [this](const Value& smaller) { write(smaller); };
    options.enough = [this] { return enough(); };
    write(document);
    document = with_short_duration(document, options);
    const Value smallest = sim::shrink(document, options);
    write(smallest);
    clear();
    if (flags_.output == "json") {
      print_json({{"finding", target_.what},
                  {"detail", detail_},
                  {"file", out_},
                  {"lines", static_cast<int64_t>(lines_of(control::to_yaml(smallest)))},
                  {"linesBefore", static_cast<int64_t>(lines_before_)},
                  {"runs", static_cast<int64_t>(runs_)},
                  {"finished", !enough()},
                  {"reproduce", cat("minik sim run ", shell_word(out_))}});
      return;
    }
    std::printf("%s: %zu lines, from %zu, after %llu runs%s\nreproduce: minik sim run %s\n", out_.c_str(),
                lines_of(control::to_yaml(smallest)), lines_before_, static_cast<unsigned long long>(runs_),
                enough() ? cat("; it was stopped here and goes on with: minik sim shrink ", shell_word(out_)).c_str() : "",
                shell_word(out_).c_str());
  }

 private:
  // What the scenario fails with now, and which calm twin tells that failure from one that is always there.
  void choose_target(const Value& document) {
    const auto failed = results_of({document}).at(0).failed;
    for (const auto& finding : failed) {
      if (flags_.finding.empty() || finding.what.find(flags_.finding) != std::string::npos) {
        target_ = finding;
        detail_ = finding.detail;
        break;
      }
    }
    if (target_.what.empty()) {
      const std::string which = flags_.finding.empty() ? "" : cat(" with ", minik::quoted(flags_.finding));
      fail(Error(ErrorCode::kNotFound, cat("it does not fail", which, ": give a --seed that a sweep has found")), kNotValid);
    }
    const auto scenario = sim::parse_scenario(control::to_yaml(document), out_);
    const bool expected = scenario && std::ranges::any_of(scenario->expectations, [this](const sim::Expectation& e) {
                            return e.text() == target_.what;
                          });
    const bool rests = scenario && scenario->convergence && target_.what.starts_with("everything comes to rest");
    if (!expected && !rests) return;  // an invariant holds in every scenario: nothing is mistaken for it
    for (const auto twin : {sim::Twin::kWithoutFaults, sim::Twin::kFirstEntryOnly}) {
      const auto calm = sim::twin_of(document, twin);
      if (calm && !fails_alike(results_of({*calm}).at(0))) {
        twin_ = twin;
        return;
      }
    }
  }

  // Nothing after the failure has a part in it.
  Value with_short_duration(const Value& document, const sim::ShrinkOptions& options) const {
    const Duration enough_time = seconds(target_.at.seconds() + 1);
    const auto duration = parse_duration(document.at({"spec", "duration"}).string());
    if (target_.at.ns == 0 || (duration && *duration <= enough_time)) return document;
    const Value shorter = document.with_at({"spec", "duration"}, format_duration(enough_time));
    return options.first_failing({shorter}) ? shorter : document;
  }

  std::optional<sim::Finding> failure_like_it(const sim::SeedResult& result) const {
    const auto found = std::ranges::find_if(result.failed, [this](const sim::Finding& f) { return sim::shape_of(f) == sim::shape_of(target_); });
    return found == result.failed.end() ? std::nullopt : std::optional(*found);
  }
  bool fails_alike(const sim::SeedResult& result) const { return failure_like_it(result).has_value(); }

  // What is not valid has a result without failures.
  std::vector<sim::SeedResult> results_of(const std::vector<Value>& documents) {
    std::vector<std::optional<sim::Scenario>> scenarios;
    std::vector<RunOrder> orders;
    for (const auto& document : documents) {
      auto scenario = sim::parse_scenario(control::to_yaml(document), out_);
      scenarios.push_back(scenario ? std::optional(*std::move(scenario)) : std::nullopt);
    }
    for (const auto& scenario : scenarios) {
      if (scenario) orders.push_back({&*scenario, scenario->seed});
    }
    runs_ += orders.size();
    auto ran = value_or_fail(run_each(orders));
    std::vector<sim::SeedResult> results;
    size_t next = 0;
    for (const auto& scenario : scenarios) results.push_back(scenario ? std::move(ran[next++]) : sim::SeedResult());
    return results;
  }

  // So many at once as there are jobs. The first in order is the answer, so that it does not depend on how many.
  std::optional<size_t> first_failing(const std::vector<Value>& candidates) {
    for (size_t begin = 0; begin < candidates.size() && !enough(); begin += flags_.jobs) {
      const size_t end = std::min<size_t>(candidates.size(), begin + flags_.jobs);
      const auto results = results_of({candidates.begin() + static_cast<ptrdiff_t>(begin), candidates.begin() + static_cast<ptrdiff_t>(end)});
      show();
      for (size_t i = 0; i < results.size(); ++i) {
        const auto failure = failure_like_it(results[i]);
        if (!failure || !sim::expects_alike(candidates[begin + i], whole_, target_.what) || !twin_holds(candidates[begin + i])) continue;
        detail_ = failure->detail;
        return begin + i;
      }
    }
    return {};
  }

  bool twin_holds(const Value& candidate) {
    if (twin_ == sim::Twin::kNone) return true;
    const auto calm = sim::twin_of(candidate, twin_);
    return calm && !fails_alike(results_of({*calm}).at(0));
  }

  bool enough() const { return runs_ >= flags_.runs || Clock::now() - begun_ >= std::chrono::nanoseconds(time_max_.ns); }

  // After each step, so that whoever is stopped has the smallest so far.
  void write(const Value& smaller) {
    const std::string text = control::to_yaml(smaller);
    lines_now_ = lines_of(text);
    const std::string header =
        cat("# Found by `minik sim shrink ", shell_word(flags_.path), flags_.seed ? cat(" --seed ", *flags_.seed) : "", "`: ", lines_now_,
            " of ", lines_before_, " lines are left after ", runs_, " runs.\n# It fails with: ", one_line(target_.what),
            detail_.empty() ? "" : ": ", one_line(detail_), "\n# reproduce: minik sim run ", shell_word(out_), "\n");
    const std::string temporary = out_ + ".new";
    check(write_report(temporary, header + text));
    std::error_code error;
    std::filesystem::rename(temporary, out_, error);
    if (error) fail(Error(ErrorCode::kInternalError, cat("cannot write ", out_, ": ", error.message())));
  }

  static std::string one_line(std::string text) {
    std::ranges::replace(text, '\n', ' ');
    constexpr size_t kLong = 160;
    return text.size() > kLong ? text.substr(0, kLong) + "…" : text;
  }

  void show() const {
    if (!terminal_) return;
    std::fprintf(stderr, "\r%zu lines, %llu runs \033[K", lines_now_, static_cast<unsigned long long>(runs_));
    std::fflush(stderr);
  }
  void clear() const {
    if (terminal_) std::fputs("\r\033[K", stderr);
  }

  const ShrinkFlags& flags_;
  const bool terminal_;
  const Clock::time_point begun_ = Clock::now();
  Duration time_max_;
  std::string out_;
  sim::Finding target_;
  std::string detail_;  // with which the smallest so far fails
  Value whole_;
  sim::Twin twin_ = sim::Twin::kNone;
  uint64_t runs_ = 0;
  size_t lines_before_ = 0, lines_now_ = 0;
};

}  // namespace

void add_shrink(Command sim) {
  static ShrinkFlags flags;
  const auto command = sim.add_command("shrink", "Make a failing run small: write the least that still fails in the same way");
  command.footer("Example: minik sim shrink my-scenario.yaml --seed 17 --out smaller.yaml");
  command.add_option("file", flags.path, "The scenario, - for standard input").required();
  command.add_option("--seed", flags.seed, "With which it fails; instead of the scenario's own");
  command.add_option("--out", flags.out, "The file for the result, kept up to date; NAME-shrunk.yaml without this");
  command.add_option("--finding", flags.finding, "Which failure, by a part of its name; the first without this");
  command.add_option("--runs", flags.runs, "Stop after so many runs").show_default();
  command.add_option("--time", flags.time, "Stop after so much real time").show_default();
  command.add_option("--jobs", flags.jobs, "Runs at once").show_default();
  add_output_option(command, flags.output);
  command.callback([] {
    flags.jobs = std::max(1U, flags.jobs);
    Shrink(flags).run();
  });
}

}  // namespace minik::cli
