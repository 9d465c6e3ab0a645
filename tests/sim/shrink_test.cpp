#include "sim/shrink.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "control/object/json.h"
#include "control/object/yaml.h"
#include "sim/run.h"
#include "sim/shrink_target.h"

namespace minik::sim {
namespace {

using control::Value;

Value document(std::string_view text) { return control::parse_yaml(text)->at(0).value; }

Value shrunk(const Value& from, const std::function<bool(const Value&)>& fails, size_t* questions = nullptr) {
  ShrinkOptions options;
  options.first_failing = [&](const std::vector<Value>& candidates) -> std::optional<size_t> {
    for (size_t i = 0; i < candidates.size(); ++i) {
      if (questions) ++*questions;
      if (fails(candidates[i])) return i;
    }
    return {};
  };
  return shrink(from, options);
}

TEST(Shrink, LeavesTheTwoEntriesOfManyThatTogetherFail) {
  std::vector<Value> entries;
  for (int i = 0; i < 64; ++i) entries.push_back(Value::map({{"at", i}}));
  const Value from = Value::empty_map().with_at({"spec", "timeline"}, Value::array(entries));
  const auto has = [](const Value& d, int at) {
    const auto list = d.at({"spec", "timeline"}).items();
    return std::ranges::any_of(list, [&](const Value& v) { return v.get("at") == Value(at); });
  };
  size_t questions = 0;
  const Value result = shrunk(from, [&](const Value& d) { return has(d, 11) && has(d, 50); }, &questions);
  EXPECT_EQ(control::to_json(result), R"({"spec":{"chance":{"from":"0s","until":"0s"},"timeline":[{"at":11},{"at":50}]}})");
  EXPECT_LT(questions, 200U);
}

TEST(Shrink, BringsNumbersDownTogetherWhereTheyWereEqual) {
  const Value from = document("spec: {timeline: [{replicas: 40}], expect: [{matches: {readyReplicas: 40}}], nodes: [{count: 9}]}");
  const Value result = shrunk(from, [](const Value& d) {
    const Value& timeline = d.at({"spec", "timeline"});
    const Value& expect = d.at({"spec", "expect"});
    if (timeline.empty() || expect.empty() || d.at({"spec", "nodes"}).empty()) return false;
    const int64_t replicas = timeline.items()[0].get("replicas").as_int();
    return replicas >= 7 && expect.items()[0].get("matches").get("readyReplicas").as_int() == replicas;
  });
  EXPECT_EQ(control::to_json(result),
            R"({"spec":{"chance":{"from":"0s","until":"0s"},"expect":[{"matches":{"readyReplicas":7}}],"nodes":[{}],)"
            R"("timeline":[{"replicas":7}]}})");
}

TEST(Shrink, FixesSpreadsAndShortensTheTimeInWhichChanceRules) {
  const Value from = document("spec: {duration: 10m, images: [{ready: {min: 1s, max: 4s}}]}");
  const Value result = shrunk(from, [](const Value& d) {
    const Value& images = d.at({"spec", "images"});
    if (images.empty() || !images.items()[0].contains("ready")) return false;
    const Value& chance = d.at({"spec", "chance"});
    const auto from_time = parse_duration(chance.get("from").as_string("0s"));
    const auto until = parse_duration(chance.get("until").as_string("10m"));
    return from_time && until && *from_time <= seconds(100) && *until >= seconds(130);
  });
  EXPECT_EQ(control::to_json(result),
            R"({"spec":{"chance":{"from":"1m40s","until":"2m10s"},"duration":"10m","images":[{"ready":"1s"}]}})");
}

TEST(Shrink, StopsWhenToldTo) {
  size_t asked = 0;
  ShrinkOptions options;
  options.first_failing = [&](const std::vector<Value>&) -> std::optional<size_t> {
    ++asked;
    return 0;
  };
  options.enough = [&] { return asked >= 2; };
  (void)shrink(document("spec: {timeline: [1, 2, 3, 4, 5, 6, 7, 8]}"), options);
  EXPECT_EQ(asked, 2U);
}

// A real scenario: fifteen lines of it are beside the point.
constexpr const char* kFails = R"(
apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: fails}
spec:
  seed: 3
  duration: 2m
  nodes: [{name: node, count: 6, zones: [a, b]}]
  images: [{match: "web:*", pull: {min: 1s, max: 2s}}]
  timeline:
  - at: 2s
    apply:
    - {apiVersion: v1, kind: ConfigMap, metadata: {name: beside-the-point}, data: {a: b}}
    - {apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {replicas: 6, selector: {matchLabels: {app: web}},
       template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, image: "web:1"}]}}}}
  - {at: 20s, restart: scheduler}
  - {at: 30s, crashNodes: {count: 6}}
  - {at: 40s, restart: controllers}
  expect:
  - {name: nothing is lost, after: 20s, always: true, count: {kind: Node, condition: Ready, equals: 6}}
  - {name: there is a deployment, within: 1m, count: {kind: Deployment, equals: 1}}
)";

TEST(Shrink, OfARealRunKeepsTheCrashAndLittleElse) {
  const auto failed = [](const Value& d) -> std::optional<Finding> {
    const auto scenario = parse_scenario(control::to_yaml(d), "s.yaml");
    if (!scenario) return {};
    const auto outcome = run_scenario(*scenario, {.seed = scenario->seed, .listeners = {}, .on_action = {}});
    for (const auto& finding : outcome->findings) {
      if (!finding.held) return finding;
    }
    return {};
  };
  const Value from = document(kFails);
  const auto target = failed(from);
  ASSERT_TRUE(target);
  const Value result = shrunk(from, [&](const Value& d) {
    const auto finding = failed(d);
    const auto calm = twin_of(d, Twin::kWithoutFaults);
    return finding && shape_of(*finding) == shape_of(*target) && calm && !failed(*calm);
  });
  const std::string text = control::to_yaml(result);
  EXPECT_NE(text.find("crashNodes"), std::string::npos) << text;
  EXPECT_EQ(text.find("ConfigMap"), std::string::npos) << text;
  EXPECT_EQ(text.find("restart"), std::string::npos) << text;
  EXPECT_LE(std::ranges::count(text, '\n'), 24) << text;
}

TEST(ShrinkTarget, TellsFailuresApartByTheirWordsAndNotTheirNumbers) {
  EXPECT_EQ(shape_of({"a", false, {}, "the count is 17"}), shape_of({"a", false, {}, "the count is 3"}));
  EXPECT_EQ(shape_of({"a", false, {}, "its status is {\"x\":1}"}), shape_of({"a", false, {}, "its status is {}"}));
  EXPECT_EQ(shape_of({"a", false, {}, "it differs: status.replicas is 3 and not 4"}), shape_of({"a", false, {}, "it differs: status is absent and not {}"}));
  EXPECT_NE(shape_of({"a", false, {}, "it differs: spec is 3 and not 4"}), shape_of({"a", false, {}, "it does not exist"}));
  EXPECT_NE(shape_of({"a", false, {}, "its status is {}"}), shape_of({"a", false, {}, "it does not exist"}));
}

TEST(ShrinkTarget, AnExpectationMayLoseNothingButItsNumbers) {
  const auto document = [](const std::string& expectation) { return (*control::parse_yaml("spec: {expect: [" + expectation + "]}"))[0].value; };
  const Value whole = document("{name: a, count: {kind: Pod, labelSelector: app=web, atLeast: 3}}, {name: b, within: 1m}");
  EXPECT_TRUE(expects_alike(document("{name: a, count: {kind: Pod, labelSelector: app=web, atLeast: 1}}"), whole, "a"));
  EXPECT_FALSE(expects_alike(document("{name: a, count: {kind: Pod, atLeast: 3}}"), whole, "a"));
  EXPECT_FALSE(expects_alike(document("{name: b, within: 1m}"), whole, "a"));
  EXPECT_TRUE(expects_alike(document("{name: b, within: 1m}"), whole, "an invariant"));
}

TEST(ShrinkTarget, GivesExpectationsTheNameThatTheirPlaceWas) {
  const std::string text = "apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  nodes: [{}]\n  expect:\n"
                           "  - {within: 1m, count: {kind: Pod, equals: 1}}\n";
  const auto scenario = parse_scenario(text, "s.yaml");
  ASSERT_TRUE(scenario) << scenario.error().message;
  const Value named = with_named_expectations(document(text), *scenario);
  EXPECT_EQ(named.at({"spec", "expect"}).items()[0].get("name").as_string(), scenario->expectations[0].text());
}

}  // namespace
}  // namespace minik::sim
