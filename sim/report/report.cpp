#include "sim/report/report.h"

#include "control/base/text.h"
#include "control/object/json.h"
#include "sim/report/page.h"

namespace minik::sim {

using control::Value;

namespace {

constexpr size_t kRolloutsMax = 40;
constexpr size_t kActionsMax = 5'000;

// Seconds with three decimals: what a plot can show.
Value seconds_of(Duration time) { return static_cast<double>(time.milliseconds()) / 1000; }

struct ColumnName {
  std::string_view name;
  size_t column;
};

Value series_data(const TimeSeries& series, std::string_view title, std::initializer_list<ColumnName> names) {
  std::vector<Value> times, columns;
  for (size_t row = 0; row < series.rows(); ++row) times.push_back(seconds_of(series.at(row)));
  for (const auto& [name, column] : names) {
    std::vector<Value> values;
    for (size_t row = 0; row < series.rows(); ++row) values.push_back(series.value(row, column));
    columns.push_back(Value::map({{"name", name}, {"values", Value::array(std::move(values))}}));
  }
  return Value::map({{"title", title}, {"t", Value::array(std::move(times))}, {"columns", Value::array(std::move(columns))}});
}

// When it is looked at: until the end where there is no second.
std::pair<Duration, std::optional<Duration>> window_of(const Expectation& e) {
  if (e.must == Expectation::Must::kWithin) return {e.after, e.after + e.time};
  if (e.must == Expectation::Must::kStable && e.deadline) return {e.after, e.after + *e.deadline};
  return {e.after, std::nullopt};
}

HistoryOptions history_options(const Scenario& scenario) {
  HistoryOptions options;
  const auto want = [&](const ObjectReference& reference) {
    options.wanted.insert({reference.kind, control::ObjectKey{reference.namespace_, reference.name}.text()});
  };
  for (const auto& expectation : scenario.expectations) {
    if (expectation.predicate.object) want(*expectation.predicate.object);
  }
  for (const auto& action : scenario.timeline) {
    if (const auto* patch = std::get_if<PatchAction>(&action.what)) want(patch->target);
    if (const auto* removal = std::get_if<DeleteAction>(&action.what)) want(removal->target);
  }
  return options;
}

}  // namespace

RunReport::RunReport(const Scenario& scenario, Subject subject)
    : scenario_(scenario), subject_(std::move(subject)), histories_(history_options(scenario)) {
  for (size_t i = 0; i < kPodPhases; ++i) pods_.add_column(TimeSeries::Column::kGauge);
  for (size_t i = 0; i < 3; ++i) nodes_.add_column(TimeSeries::Column::kGauge);
  for (size_t i = 0; i < 3; ++i) activity_.add_column(TimeSeries::Column::kCount);
}

void RunReport::on_write(Instant now, const control::LogRecord& record) {
  ++writes_;
  census_.on_write(record);
  histories_.on_write(now, record);
}

void RunReport::on_delivery(Instant, const std::string&, const control::WatchEvent&) { ++deliveries_; }

void RunReport::on_action(Duration now, const std::string& text) {
  if (actions_.size() == kActionsMax) {
    ++actions_left_out_;
    return;
  }
  actions_.push_back({now, text});
}

void RunReport::on_second(Duration now, SimulatedCluster&) {
  std::vector<int64_t> phases;
  for (size_t i = 0; i < kPodPhases; ++i) phases.push_back(census_.pods(static_cast<PodPhase>(i)));
  pods_.add_row(now, std::move(phases));
  nodes_.add_row(now, {census_.nodes().ready, census_.nodes().not_ready, census_.nodes().cordoned});
  activity_.add_row(now, {writes_, deliveries_, census_.restarts() - restarts_});
  writes_ = deliveries_ = 0;
  restarts_ = census_.restarts();
  for (const auto& [name, rollout] : census_.rollouts()) {
    auto found = rollouts_.find(name);
    if (found == rollouts_.end()) {
      if (rollouts_.size() == kRolloutsMax) continue;
      found = rollouts_.emplace(name, TimeSeries()).first;
      for (size_t i = 0; i < 4; ++i) found->second.add_column(TimeSeries::Column::kGauge);
    }
    found->second.add_row(now, {rollout.ready, rollout.updated, rollout.old, rollout.wanted});
  }
  rollouts_left_out_ = census_.rollouts().size() - rollouts_.size();
}

Value RunReport::findings(const RunOutcome& outcome) const {
  std::vector<Value> all;
  for (size_t i = 0; i < outcome.findings.size(); ++i) {
    const Finding& finding = outcome.findings[i];
    Value value = Value::map({{"what", finding.what}, {"held", finding.held}, {"detail", finding.detail}});
    if (finding.at.ns > 0) value = value.with("at", seconds_of(finding.at));
    // Expectations come first, in their order.
    if (i < scenario_.expectations.size()) {
      const auto [after, until] = window_of(scenario_.expectations[i]);
      value = value.with("after", seconds_of(after));
      if (until) value = value.with("until", seconds_of(*until));
    }
    all.push_back(std::move(value));
  }
  return Value::array(std::move(all));
}

Value RunReport::data(const RunOutcome& outcome) const {
  std::vector<Value> actions, rollouts, objects;
  for (const auto& [at, text] : actions_) actions.push_back(Value::map({{"at", seconds_of(at)}, {"text", text}}));
  for (const auto& [name, series] : rollouts_) {
    rollouts.push_back(series_data(series, name, {{"Ready", 0}, {"New", 1}, {"Old", 2}, {"Wanted", 3}}));
  }
  for (const auto* history : histories_.all()) {
    std::vector<Value> versions;
    for (const auto& version : history->versions) {
      versions.push_back(Value::map({{"at", seconds_of(version.at)},
                                     {"revision", static_cast<int64_t>(version.revision)},
                                     {"change", version.change}}));
    }
    objects.push_back(Value::map({{"kind", history->kind},
                                  {"key", history->key},
                                  {"wanted", history->wanted},
                                  {"cut", history->cut},
                                  {"versions", Value::array(std::move(versions))}}));
  }
  std::vector<ColumnName> phases;
  for (size_t i = 0; i < kPodPhases; ++i) phases.push_back({phase_name(static_cast<PodPhase>(i)), i});
  const Value pods = series_data(pods_, "Pods by phase",
                                 {phases[0], phases[1], phases[2], phases[3], phases[4], phases[5], phases[6]});
  return Value::map({
      {"scenario", scenario_.name},
      {"description", scenario_.description},
      {"file", subject_.file},
      {"seed", cat(subject_.seed)},
      {"passed", outcome.passed()},
      {"duration", seconds_of(outcome.virtual_time)},
      {"trace", outcome.trace_hash},
      {"entries", static_cast<int64_t>(outcome.trace_entries)},
      {"writes", static_cast<int64_t>(outcome.writes)},
      {"steps", static_cast<int64_t>(outcome.steps)},
      {"findings", findings(outcome)},
      {"actions", Value::array(std::move(actions))},
      {"actionsLeftOut", static_cast<int64_t>(actions_left_out_)},
      {"pods", pods},
      {"nodes", series_data(nodes_, "Nodes", {{"Ready", 0}, {"Not ready", 1}, {"Cordoned", 2}})},
      {"activity", series_data(activity_, "Activity", {{"Writes", 0}, {"Watch events", 1}, {"Container restarts", 2}})},
      {"rollouts", Value::array(std::move(rollouts))},
      {"rolloutsLeftOut", static_cast<int64_t>(rollouts_left_out_)},
      {"objects", Value::array(std::move(objects))},
      {"objectsLeftOut", static_cast<int64_t>(histories_.left_out())},
  });
}

std::string RunReport::page(const RunOutcome& outcome) const {
  // to_json escapes < and >, so nothing in the data can end the element that it stands in.
  return report_page(scenario_.name, control::to_json(data(outcome)));
}

}  // namespace minik::sim
