#include "sim/report/report.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/schema/kinds.h"
#include "sim/census.h"
#include "sim/metrics_recorder.h"
#include "sim/time_series.h"

namespace minik::sim {
namespace {

using control::Value;

constexpr const char* kRollout = R"(
apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: "a </script> b"}
spec:
  duration: 2m
  nodes: [{count: 3}]
  timeline:
  - at: 2s
    apply: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 4, selector: {matchLabels: {app: web}},
      template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}}}
  - {at: 1m, crashNodes: {count: 1}}
  expect:
  - {name: up, within: 1m, object: {kind: Deployment, name: web}, matches: {status: {readyReplicas: 4}}}
)";

struct Reported {
  Value data;
  std::string page, metrics;
  RunOutcome outcome;
};

const Reported& reported() {
  static const Reported made = [] {
    Reported r;
    const auto scenario = parse_scenario(kRollout, "rollout.yaml");
    CHECK(scenario.ok()) << scenario.error().message;
    RunReport report(*scenario, {"rollout.yaml", 4});
    MetricsRecorder metrics(ClusterOptions().begin, scenario->duration);
    r.outcome = *run_scenario(*scenario, {.seed = 4, .listeners = {&report, &metrics}, .on_action = {}});
    r.data = report.data(r.outcome);
    r.page = report.page(r.outcome);
    r.metrics = metrics.page();
    return r;
  }();
  return made;
}

int64_t last_of(const Value& series, std::string_view column) {
  for (const auto& c : series.get("columns").items()) {
    if (c.get("name").as_string() == column) return c.get("values").items().back().as_int();
  }
  return -1;
}

TEST(RunReport, CountsPodsNodesAndRolloutsAsTheyAreAtTheEnd) {
  const Value& data = reported().data;
  EXPECT_EQ(last_of(data.get("nodes"), "Ready"), 2);
  EXPECT_EQ(last_of(data.get("nodes"), "Not ready"), 1);
  ASSERT_EQ(data.get("rollouts").size(), 1U);
  EXPECT_EQ(data.get("rollouts").items()[0].get("title").as_string(), "Deployment default/web");
  EXPECT_EQ(last_of(data.get("rollouts").items()[0], "Wanted"), 4);
  int64_t pods = 0;
  for (const auto& c : data.get("pods").get("columns").items()) pods += c.get("values").items().back().as_int();
  EXPECT_EQ(pods, 4);
}

TEST(RunReport, ListsActionsFindingsAndTheHistoryOfWhatTheScenarioSpeaksOf) {
  const Value& data = reported().data;
  EXPECT_EQ(data.get("actions").size(), 2U);
  EXPECT_TRUE(data.get("findings").items()[0].get("held").as_bool());
  const Value& first = data.get("objects").items()[0];
  EXPECT_EQ(first.get("kind").as_string(), "Deployment");
  EXPECT_GT(first.get("versions").size(), 3U);
  EXPECT_TRUE(first.get("versions").items()[0].get("change").is_map());
  EXPECT_TRUE(first.get("versions").items()[1].get("change").is_array());
}

TEST(RunReport, IsOnePageThatAsksForNothingElse) {
  const std::string& page = reported().page;
  EXPECT_EQ(page.find("{{"), std::string::npos);
  EXPECT_EQ(page.find("http://"), page.find("http://www.w3.org/2000/svg"));
  EXPECT_EQ(page.find("https://"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  // The scenario's name stands in the page's data and title, and ends neither.
  EXPECT_EQ(page.find("a </script>"), std::string::npos);
  EXPECT_NE(page.find("<title>a &lt;/script> b"), std::string::npos);
}

TEST(RunReport, DoesNotChangeTheRun) {
  const auto scenario = parse_scenario(kRollout, "rollout.yaml");
  EXPECT_EQ(run_scenario(*scenario, {.seed = 4, .listeners = {}, .on_action = {}})->trace_hash, reported().outcome.trace_hash);
}

TEST(MetricsRecorder, WritesPointsInVirtualTimeAndEndsAsOpenMetricsWants) {
  const std::string& page = reported().metrics;
  EXPECT_TRUE(page.ends_with("# EOF\n"));
  EXPECT_NE(page.find("minik_sim_nodes{condition=\"Ready\"} 3 17672256"), std::string::npos) << page.substr(0, 2'000);
  EXPECT_NE(page.find("minik_sim_nodes{condition=\"Ready\"} 2 17672257"), std::string::npos);
  // A family's title stands once.
  const auto title = page.find("# TYPE minik_sim_pods gauge");
  ASSERT_NE(title, std::string::npos);
  EXPECT_EQ(page.find("# TYPE minik_sim_pods gauge", title + 1), std::string::npos);
}

TEST(MetricsRecorder, KeepsThePointsOfAHistogramTogether) {
  EXPECT_EQ(series_of(R"(d_bucket{a="x",le="0.5"} 3)"), R"(a="x")");
  EXPECT_EQ(series_of(R"(d_bucket{le="+Inf"} 3)"), "");
  EXPECT_EQ(series_of(R"(d_count{a="x"} 3)"), R"(a="x")");
  EXPECT_EQ(series_of("up 1"), "");
}

TEST(TimeSeries, StaysWithinItsSizeAndKeepsDipsAndSums) {
  TimeSeries series(64);
  series.add_column(TimeSeries::Column::kGauge);
  series.add_column(TimeSeries::Column::kCount);
  int64_t counted = 0;
  for (int64_t i = 0; i < 10'000; ++i) {
    series.add_row(seconds(i), {i == 5'001 ? 3 : 100, 1});
    ++counted;
  }
  EXPECT_LE(series.rows(), 64U);
  int64_t lowest = 100, sum = 0;
  for (size_t row = 0; row < series.rows(); ++row) {
    lowest = std::min(lowest, series.value(row, 0));
    sum += series.value(row, 1);
  }
  EXPECT_EQ(lowest, 3);
  EXPECT_EQ(sum, counted);
}

TEST(Histories, KeepWhatWasAskedForWhenTheBudgetIsUsedUp) {
  HistoryOptions options;
  options.bytes_max = 300;
  options.wanted = {{"Pod", "default/last"}};
  Histories histories(options);
  const auto* pods = control::Schema::builtin().find_kind("v1", "Pod");
  for (int i = 0; i < 50; ++i) {
    const std::string name = i == 49 ? "last" : cat("p", i);
    const Value pod = Value::map({{"metadata", Value::map({{"name", name}, {"namespace", "default"}})}});
    histories.on_write({}, {control::LogRecord::Kind::kPut, pods->id, {static_cast<uint64_t>(i) + 1}, pod, {}});
  }
  const auto all = histories.all();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all[0]->key, "default/last");
  EXPECT_LT(all.size(), 10U);
  EXPECT_EQ(histories.left_out() + all.size(), 50U);
}

TEST(Census, APodOnItsWayOutIsNoOldOne) {
  const auto old_after = [](std::string_view status) {
    Census census;
    const Value set = *control::parse_json(cat(R"({"metadata":{"name":"db","namespace":"default"},"spec":{"replicas":3},"status":)", status, "}"));
    census.on_write({control::LogRecord::Kind::kPut, control::kinds::kStatefulsets, {}, set, {}});
    return census.rollouts().at("StatefulSet default/db").old;
  };
  EXPECT_EQ(old_after(R"({"replicas":3,"updatedReplicas":2,"currentReplicas":2,"currentRevision":"db-1","updateRevision":"db-1"})"), 0);
  EXPECT_EQ(old_after(R"({"replicas":3,"updatedReplicas":1,"currentReplicas":2,"currentRevision":"db-1","updateRevision":"db-2"})"), 2);
}

}  // namespace
}  // namespace minik::sim
