#include "sim/trace_file.h"

#include <gtest/gtest.h>

#include "control/object/json.h"
#include "sim/run.h"
#include "sim/trace_diff.h"

namespace minik::sim {
namespace {

constexpr const char* kSmall = R"(
apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: small}
spec:
  duration: 40s
  nodes: [{count: 2}]
  timeline:
  - at: 2s
    apply: {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 3, selector: {matchLabels: {app: web}},
      template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}}}
  - {at: 20s, delete: {kind: Deployment, name: web}}
)";

struct Traced {
  std::vector<std::string> lines;
  RunOutcome outcome;
  // What the run itself had at its end.
  std::map<std::string, control::Value> pods;
};

class LastPods : public RunListener {
 public:
  explicit LastPods(std::map<std::string, control::Value>& pods) : pods_(pods) {}
  void on_write(Instant, const control::LogRecord& record) override {
    if (control::Schema::builtin().resource(record.kind).plural != "pods") return;
    const auto key = control::key_of(record.object).text();
    if (record.what == control::LogRecord::Kind::kPut) pods_[key] = record.object;
    else pods_.erase(key);
  }

 private:
  std::map<std::string, control::Value>& pods_;
};

Traced trace_of(uint64_t seed, Duration duration = seconds(40)) {
  Traced traced;
  auto scenario = parse_scenario(kSmall, "small.yaml");
  CHECK(scenario.ok()) << scenario.error().message;
  scenario->duration = duration;
  TraceWriter writer([&](std::string_view line) { traced.lines.emplace_back(line); });
  LastPods pods(traced.pods);
  writer.begin({scenario->name, "small.yaml", kSmall, seed, {}});
  traced.outcome = *run_scenario(*scenario, {.seed = seed, .listeners = {&writer, &pods}, .on_action = {}});
  writer.end(traced.outcome.virtual_time, traced.outcome.trace_hash);
  return traced;
}

LineSource source_of(const std::vector<std::string>& lines) {
  return [&lines, next = size_t{0}]() mutable -> std::optional<std::string> {
    if (next == lines.size()) return {};
    return lines[next++];
  };
}

TEST(TraceFile, LeadsToTheStateOfEveryObjectAtAnyMoment) {
  const auto traced = trace_of(1, seconds(12));
  ASSERT_EQ(traced.pods.size(), 3U);
  TraceState state;
  for (size_t i = 1; i < traced.lines.size(); ++i) {
    const auto entry = read_trace_entry(traced.lines[i]);
    ASSERT_TRUE(entry) << traced.lines[i];
    ASSERT_TRUE(state.apply(*entry).ok()) << traced.lines[i];
  }
  for (const auto& [key, pod] : traced.pods) EXPECT_EQ(state.find({"pods", key}), pod) << key;
  EXPECT_EQ(state.find({"deployments.apps", "default/web"})[control::Key("status")].get("readyReplicas").as_int(), 3);
}

TEST(TraceFile, ForgetsWhatWasDeleted) {
  const auto traced = trace_of(1);
  TraceState state;
  for (size_t i = 1; i < traced.lines.size(); ++i) ASSERT_TRUE(state.apply(*read_trace_entry(traced.lines[i])).ok());
  EXPECT_TRUE(state.find({"deployments.apps", "default/web"}).is_absent());
}

TEST(TraceFile, EndsWithTheHashOfTheRunAndTheNumberOfItsEntries) {
  const auto traced = trace_of(3);
  const auto end = read_trace_entry(traced.lines.back());
  ASSERT_TRUE(end);
  EXPECT_EQ(end->what, TraceEntry::What::kEnd);
  EXPECT_EQ(end->text, traced.outcome.trace_hash);
  EXPECT_EQ(end->entries, traced.outcome.trace_entries);
}

TEST(TraceFile, KeepsTheScenarioAndTheWholeSeedInItsHeader) {
  const TraceHeader header{"s", "a b.yaml", "kind: \"Scenario\"\n<&>\n", UINT64_MAX, WallTime{1'767'225'600'000'000'000}};
  const auto again = read_trace_header(write_trace_header(header));
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->text, header.text);
  EXPECT_EQ(again->seed, UINT64_MAX);
  EXPECT_EQ(again->begin, header.begin);
}

TEST(TraceFile, RefusesAHeaderWhoseScenarioWasChanged) {
  std::string line = write_trace_header({"s", "f", "replicas: 3", 1, {}});
  line.replace(line.find("replicas: 3"), 11, "replicas: 4");
  const auto header = read_trace_header(line);
  ASSERT_FALSE(header);
  EXPECT_NE(header.error().message.find("has been changed"), std::string::npos);
}

TEST(TraceFile, RefusesWhatIsNoTrace) {
  for (const auto* line : {"", "{}", "[]", "kind: Scenario", R"({"kind":"Trace"})", R"({"apiVersion":"minik.dev/v9","kind":"Trace"})"}) {
    EXPECT_FALSE(read_trace_header(line).ok()) << line;
  }
  for (const auto* line : {"", "{}", R"({"at":"x","action":"a"})", R"({"at":"1s"})", R"({"at":"1s","put":"pods"})",
                           R"({"at":"1s","put":"pods","object":{},"patch":[]})"}) {
    EXPECT_FALSE(read_trace_entry(line).ok()) << line;
  }
  TraceState state;
  EXPECT_FALSE(state.apply(*read_trace_entry(R"({"at":"1s","put":"pods","key":"a/b","revision":1,"patch":[]})")).ok());
}

TEST(TraceDiff, FindsNothingBetweenTwoRunsOfOneSeed) {
  const auto a = trace_of(5), b = trace_of(5);
  EXPECT_FALSE(first_divergence(source_of(a.lines), source_of(b.lines)));
}

TEST(TraceDiff, NamesTheFirstLineAndTheFieldsThatDiffer) {
  const std::vector<std::string> a{"{}", R"({"at":"1s","put":"pods","key":"a/b","revision":1,"object":{"status":{"phase":"Pending"}}})",
                                   R"({"at":"2s","put":"pods","key":"a/b","revision":2,"patch":[{"op":"replace","path":"/status/phase","value":"Running"}]})"};
  auto b = a;
  b[2].replace(b[2].find("Running"), 7, "Failed");
  const auto divergence = first_divergence(source_of(a), source_of(b), 1);
  ASSERT_TRUE(divergence);
  EXPECT_EQ(divergence->line, 3U);
  EXPECT_EQ(divergence->before, std::vector<std::string>{a[1]});
  EXPECT_EQ(control::to_json(divergence->changes), R"([{"op":"replace","path":"/status/phase","value":"Failed"}])");
  EXPECT_NE(describe(*divergence).find("/status/phase: \"Failed\""), std::string::npos);
}

TEST(TraceDiff, OfTwoSeedsComparesWhatWasDoneAndFoundWhenever) {
  EXPECT_TRUE(is_deed(R"({"at":"2m","action":"crashNodes node-3"})"));
  EXPECT_TRUE(is_deed(R"({"at":"9m","finding":"x","held":false})"));
  EXPECT_FALSE(is_deed(R"({"at":"5s","put":"pods","key":"a/b","revision":1,"object":{"action":1}})"));
  EXPECT_FALSE(is_deed("{"));
  const std::vector<std::string> a{R"({"at":"2m","action":"drained a"})", R"({"at":"3m","action":"crashNodes node-3"})"};
  const std::vector<std::string> b{R"({"at":"2m0.1s","action":"drained a"})", R"({"at":"3m","action":"crashNodes node-4"})"};
  const auto divergence = first_divergence(source_of(a), source_of(b), 5, Compared::kDeeds);
  ASSERT_TRUE(divergence);
  EXPECT_EQ(divergence->first, a[1]);
}

TEST(TraceDiff, SaysWhichTraceEndsEarlier) {
  const std::vector<std::string> a{"x", "y"}, b{"x"};
  const auto divergence = first_divergence(source_of(a), source_of(b));
  ASSERT_TRUE(divergence);
  EXPECT_EQ(divergence->first, "y");
  EXPECT_FALSE(divergence->second);
}

}  // namespace
}  // namespace minik::sim
