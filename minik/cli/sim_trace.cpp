// The commands on traces: replay, diff, and the state of objects at any virtual moment.
#include <cstdio>

#include "control/base/text.h"
#include "minik/cli/object_view.h"
#include "minik/cli/simulation.h"
#include "sim/run.h"
#include "sim/trace_diff.h"

namespace minik::cli {

namespace {

// Compares the lines of a run with those of a file as they come.
class Replay {
 public:
  Replay(const std::string& path, const std::string& output) : output_(output), lines_(path) {}

  void run() {
    const auto& header = lines_.header();
    const auto parsed = sim::parse_scenario(header.text, header.file);
    if (!parsed) fail(parsed.error(), kNotValid);
    const auto& scenario = *parsed;
    if (output_ == "text") std::printf("scenario %s, seed %llu\n", header.scenario.c_str(), static_cast<unsigned long long>(header.seed));
    sim::TraceWriter writer([this](std::string_view line) { take(line); });
    comparison_.add(lines_.header_line(), lines_.header_line());
    sim::RunOptions options;
    options.seed = header.seed;
    if (header.managed_fields) options.field_accounts = control::FieldAccounts::kAlways;
    options.listeners = {&writer};
    const auto outcome = value_or_fail(sim::run_scenario(scenario, options));
    writer.end(outcome.virtual_time, outcome.trace_hash);
    if (!comparison_.divergence()) comparison_.add(lines_.next(), {});
    if (output_ == "json") {
      print_json({{"scenario", header.scenario},
                  {"seed", cat(header.seed)},
                  {"same", !comparison_.divergence()},
                  {"equalLines", static_cast<int64_t>(comparison_.equal_lines())},
                  {"divergence", comparison_.divergence() ? sim::as_document(*comparison_.divergence()) : control::Value(nullptr)},
                  {"trace", cat("sha256:", outcome.trace_hash)}});
    } else {
      tell(outcome.trace_hash);
    }
    if (comparison_.divergence()) throw Exit{kFailed};
  }

 private:
  void tell(const std::string& hash) const {
    if (const auto& divergence = comparison_.divergence()) {
      std::printf("FAILED  this run is not the one of the trace (first: the trace, second: now)\n%s"
                  "another version of minik may decide otherwise; the same version must not\n",
                  sim::describe(*divergence).c_str());
    } else {
      std::printf("ok      the same %llu lines\n", static_cast<unsigned long long>(comparison_.equal_lines()));
    }
    std::printf("trace sha256:%s\n", hash.c_str());
  }
  void take(std::string_view line) {
    if (!comparison_.divergence()) comparison_.add(lines_.next(), std::string(line));
  }

  const std::string& output_;
  TraceLines lines_;
  sim::TraceComparison comparison_;
};

struct DiffFlags {
  std::string first, second, output = "text";
  size_t context = 5;
};

void diff(const DiffFlags& flags) {
  TraceLines first(flags.first), second(flags.second);
  const auto& a = first.header();
  const auto& b = second.header();
  const bool tells = flags.output == "text";
  if (tells && a.text != b.text) std::printf("the scenarios differ: %s and %s\n", a.scenario.c_str(), b.scenario.c_str());
  if (tells && a.seed != b.seed) {
    std::printf("the seeds differ: %llu and %llu\n", static_cast<unsigned long long>(a.seed), static_cast<unsigned long long>(b.seed));
  }
  // The headers have been told apart; what interests is where the runs part. Another seed draws other uids, names and delays
  // for everything, so that only what was done and what was found can be the same.
  const auto compared = a.seed == b.seed ? sim::Compared::kLines : sim::Compared::kDeeds;
  if (tells && compared == sim::Compared::kDeeds) {
    std::printf("of different seeds only actions, faults and findings are compared: writes and watch events differ from the first on\n");
  }
  bool at_header = true;
  const auto line_of = [&](TraceLines& lines) -> std::optional<std::string> {
    if (at_header) return "(header)";
    auto line = lines.next();
    while (line && compared == sim::Compared::kDeeds && !sim::is_deed(*line)) line = lines.next();
    return line;
  };
  const auto divergence = sim::first_divergence([&] { return line_of(first); },
                                                [&] {
                                                  auto line = line_of(second);
                                                  at_header = false;
                                                  return line;
                                                }, flags.context, compared);
  if (!tells) {
    print_json({{"sameScenario", a.text == b.text},
                {"sameSeed", a.seed == b.seed},
                {"compared", compared == sim::Compared::kLines ? "lines" : "deeds"},
                {"same", !divergence},
                {"divergence", divergence ? sim::as_document(*divergence) : control::Value(nullptr)}});
  } else {
    std::printf("%s", divergence ? sim::describe(*divergence, compared).c_str() : compared == sim::Compared::kLines ? "the same entries\n" : "the same was done and found\n");
  }
  if (divergence) throw Exit{kFailed};
}

// Follows a run or reads a trace up to a moment, and keeps the objects of then.
class Moment : public sim::RunListener {
 public:
  explicit Moment(std::optional<sim::TracedKey> watched) : watched_(std::move(watched)) {}

  void on_schema(const control::Schema& schema) override { schema_ = &schema; }
  void on_write(Instant now, const control::LogRecord& record) override {
    const auto& resource = schema_->resource(record.kind);
    const bool put = record.what == control::LogRecord::Kind::kPut;
    add({resource.group_resource(), control::key_of(record.object).text()}, Duration{now.ns},
        put ? record.object : control::Value());
  }

  // The moment that was reached: the trace's end where that comes first.
  Duration read(TraceLines& lines, Duration until) {
    Duration reached;
    while (const auto entry = lines.next_entry()) {
      if (entry->at > until) return until;
      reached = entry->at;
      if (entry->what != sim::TraceEntry::What::kPut && entry->what != sim::TraceEntry::What::kDelete) continue;
      const sim::TracedKey key{entry->resource, entry->key};
      const control::Value before = state_.find(key);
      check(state_.apply(*entry));
      tell(key, entry->at, before);
    }
    return reached;
  }

  const sim::TraceState& state() const { return state_; }
  bool was_seen() const { return was_seen_; }

 private:
  void add(const sim::TracedKey& key, Duration at, const control::Value& object) {
    const control::Value before = state_.find(key);
    state_.set(key, object);
    tell(key, at, before);
  }
  void tell(const sim::TracedKey& key, Duration at, const control::Value& before) {
    if (watched_ != key) return;
    was_seen_ = true;
    print_change(at, before, state_.find(key));
  }

  const control::Schema* schema_ = &control::Schema::builtin();
  std::optional<sim::TracedKey> watched_;
  sim::TraceState state_;
  bool was_seen_ = false;
};

struct StateFlags {
  std::string path, at, kind, name, namespace_, watch, output = "table";
  std::optional<uint64_t> seed;
};

void show_state(const StateFlags& flags) {
  const auto at = parse_duration(flags.at);
  if (!flags.at.empty() && (!at || *at < Duration{})) {
    fail(Error(ErrorCode::kBadRequest, cat("--at ", flags.at, ": give a virtual time such as 12m30s")), kNotValid);
  }
  if (!at && flags.watch.empty()) fail(Error(ErrorCode::kBadRequest, "needs --at, or --watch KIND/NAME"), kNotValid);
  ObjectSelection selection = select_objects(flags.kind, flags.name, flags.namespace_);
  std::optional<sim::TracedKey> watched;
  if (!flags.watch.empty()) watched = watched_object(flags.watch, flags.namespace_);
  Moment moment(watched);
  WallTime begin = sim::ClusterOptions().begin;
  Duration until;
  if (is_trace(flags.path)) {
    TraceLines lines(flags.path);
    begin = lines.header().begin;
    until = moment.read(lines, at.value_or(Duration{INT64_MAX}));
  } else {
    sim::Scenario scenario = load_scenario(flags.path);
    until = std::min(at.value_or(scenario.duration), scenario.duration);
    // The run up to then: a run is the same however long it goes on afterwards.
    scenario.duration = until;
    scenario.convergence.reset();  // what heals then is not so yet
    sim::RunOptions options;
    options.seed = flags.seed.value_or(scenario.seed);
    options.listeners = {&moment};
    (void)value_or_fail(sim::run_scenario(scenario, options));
  }
  if (at && until < *at) std::fprintf(stderr, "minik: the run ends at %s: this is its end\n", format_duration(until).c_str());
  if (!watched) {
    print_objects(moment.state(), selection, flags.output, begin + until);
  } else if (!moment.was_seen()) {
    fail(Error(ErrorCode::kNotFound, cat("there has been no ", watched->resource, " ", watched->key)), kFailed);
  }
}

}  // namespace

void add_trace_commands(Command sim) {
  static std::string replayed, output = "text";
  const auto replay = sim.add_command("replay", "Make the run of a trace again and compare; exit 1 where they part");
  replay.footer("Example: minik sim replay out.jsonl");
  replay.add_option("trace", replayed, "A file that --trace wrote, - for standard input").required();
  add_output_option(replay, output);
  replay.callback([] { Replay(replayed, output).run(); });

  static DiffFlags diff_flags;
  const auto diff_command = sim.add_command("diff", "Where two traces part, and in which fields; exit 1 when they do");
  diff_command.footer("Example: minik sim diff seed-7.jsonl seed-8.jsonl");
  diff_command.add_option("first", diff_flags.first, "A trace").required();
  diff_command.add_option("second", diff_flags.second, "Another trace").required();
  diff_command.add_option("--context", diff_flags.context, "Equal lines to show before").show_default();
  add_output_option(diff_command, diff_flags.output);
  diff_command.callback([] { diff(diff_flags); });

  static StateFlags flags;
  const auto state = sim.add_command("state", "The objects of a run or a trace at a virtual moment, or one object's history");
  state.footer("Example: minik sim state out.jsonl --at 12m30s pods\n"
               "         minik sim state scenarios/zone-outage.yaml --at 5m node node-3 -o yaml\n"
               "         minik sim state out.jsonl --watch deployment/web");
  state.add_option("file", flags.path, "A trace, or a scenario to run up to then").required();
  state.add_option("kind", flags.kind, "As kubectl takes it: pods, deploy, Node; without one: how many there are of each");
  state.add_option("name", flags.name, "Of one object");
  state.add_option("--at", flags.at, "The virtual time, such as 12m30s");
  state.add_option("-n,--namespace", flags.namespace_, "Only of this namespace");
  state.add_option("--watch", flags.watch, "KIND/NAME: every version of this object up to then, and what changed");
  state.add_option("--seed", flags.seed, "Of a scenario's run");
  state.add_option("-o,--output", flags.output, "table, wide, name, json or yaml")
      .one_of({"table", "wide", "name", "json", "yaml"}).show_default();
  state.callback([] { show_state(flags); });
}

}  // namespace minik::cli
