// The schema that editors get names the same fields as the parser takes.
#include "sim/scenario_schema.h"

#include <gtest/gtest.h>

#include <set>

#include "control/base/text.h"
#include "control/object/json.h"
#include "sim/scenario.h"

namespace minik::sim {
namespace {

using control::Value;

const Value& schema() {
  static const Value parsed = *control::parse_json(scenario_schema());
  return parsed;
}

std::set<std::string> properties_of(const Value& type) {
  std::set<std::string> names;
  for (const auto& entry : type.get("properties").entries()) names.emplace(entry.key.text());
  return names;
}

// Puts a field that nobody knows beside `line` and reads the known ones out of the refusal.
std::set<std::string> known_to_parser(std::string_view spec_or_root) {
  const auto scenario = parse_scenario(spec_or_root, "a.yaml");
  EXPECT_FALSE(scenario.ok());
  if (scenario) return {};
  const std::string& message = scenario.error().message;
  constexpr std::string_view kMark = "known here are ";
  const auto at = message.find(kMark);
  EXPECT_NE(at, std::string::npos) << message;
  if (at == std::string::npos) return {};
  std::set<std::string> names;
  for (const auto name : split(std::string_view(message).substr(at + kMark.size()), ',')) {
    if (!trim(name).empty()) names.emplace(trim(name));
  }
  return names;
}

std::string file_with_spec(std::string_view spec) {
  return cat("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec: ", spec,
             "\n");
}

const Value& definition(std::string_view name) {
  return schema().get("definitions").get(name);
}
const Value& part(const Value& type, std::string_view name) {
  return type.get("properties").get(name);
}

TEST(ScenarioSchema, NamesTheFieldsThatTheParserTakes) {
  EXPECT_EQ(properties_of(schema()),
            known_to_parser("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nwrong: 1\n"));
  EXPECT_EQ(
      properties_of(part(schema(), "metadata")),
      known_to_parser("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {wrong: 1}\n"));
  EXPECT_EQ(properties_of(part(schema(), "spec")), known_to_parser(file_with_spec("{wrong: 1}")));
  EXPECT_EQ(properties_of(definition("pool")),
            known_to_parser(file_with_spec("{nodes: [{wrong: 1}]}")));
  EXPECT_EQ(properties_of(part(definition("pool"), "capacity")),
            known_to_parser(file_with_spec("{nodes: [{capacity: {wrong: 1}}]}")));
  for (const auto name : {"chance", "apiServer", "dns"}) {
    EXPECT_EQ(properties_of(part(part(schema(), "spec"), name)), known_to_parser(file_with_spec(cat("{", name, ": {wrong: 1}}"))));
  }
  EXPECT_EQ(properties_of(definition("image")),
            known_to_parser(file_with_spec("{images: [{wrong: 1}]}")));
  EXPECT_EQ(properties_of(definition("distribution").get("oneOf").items()[1]),
            known_to_parser(file_with_spec("{images: [{pull: {wrong: 1}}]}")));
}

TEST(ScenarioSchema, NamesTheActionsAndExpectationsThatTheParserTakes) {
  const auto action = [](std::string_view text) {
    return known_to_parser(file_with_spec(cat("{timeline: [", text, "]}")));
  };
  const auto expectation = [](std::string_view text) {
    return known_to_parser(file_with_spec(cat("{expect: [", text, "]}")));
  };
  EXPECT_EQ(properties_of(definition("action")), action("{wrong: 1}"));
  for (const auto name : {"setImage", "scale", "patch", "delete", "drain", "upgradePool", "setLoad"}) {
    const Value& type = part(definition("action"), name);
    EXPECT_EQ(properties_of(type.contains("oneOf") ? type.get("oneOf").items()[1] : type), action(cat("{at: 1s, ", name, ": {wrong: 1}}")));
  }
  EXPECT_EQ(part(definition("action"), "drain").get("oneOf").items()[0].get("const").as_string(), "all");
  EXPECT_EQ(properties_of(definition("expectation")), expectation("{wrong: 1}"));
  EXPECT_EQ(properties_of(definition("reference")),
            expectation("{within: 1s, object: {wrong: 1}, matches: {}}"));
  EXPECT_EQ(properties_of(definition("count")), expectation("{within: 1s, count: {wrong: 1}}"));
  EXPECT_EQ(properties_of(definition("list")),
            expectation("{within: 1s, list: {wrong: 1}, cel: \"true\"}"));
  EXPECT_EQ(properties_of(definition("metric")), expectation("{within: 1s, metric: {wrong: 1}}"));
}

TEST(ScenarioSchema, NamesTheFaultsAndTriggersThatTheParserTakes) {
  const auto fault = [](std::string_view text) {
    return known_to_parser(file_with_spec(cat("{faults: [", text, "]}")));
  };
  EXPECT_EQ(properties_of(definition("fault")), fault("{wrong: 1}"));
  const std::set<std::string> triggers{"name", "at", "when", "after", "random", "inRuns", "for"};
  for (const auto& name : properties_of(definition("fault"))) {
    if (triggers.contains(name)) continue;
    SCOPED_TRACE(name);
    const Value* type = &part(definition("fault"), name);
    if (type->contains("$ref")) type = &definition("choice");
    if (type->contains("oneOf")) type = &type->get("oneOf").items()[1];
    EXPECT_EQ(properties_of(*type), fault(cat("{at: 1s, ", name, ": {wrong: 1}}")));
    EXPECT_TRUE(part(definition("action"), name) == part(definition("fault"), name));
  }
  EXPECT_EQ(properties_of(part(definition("fault"), "random")), fault("{random: {wrong: 1}}"));
  EXPECT_EQ(properties_of(definition("when")), fault("{when: {wrong: 1}}"));
  EXPECT_EQ(properties_of(part(definition("when"), "write")), fault("{when: {write: {wrong: 1}}}"));
  EXPECT_EQ(properties_of(part(definition("when"), "between")),
            fault("{when: {between: {wrong: 1}}}"));
  EXPECT_EQ(properties_of(definition("write")),
            fault("{when: {between: {first: {wrong: 1}, then: {}}}}"));
  EXPECT_EQ(properties_of(part(schema(), "spec").get("properties").get("convergence").get("oneOf").items()[1]),
            known_to_parser(file_with_spec("{convergence: {wrong: 1}}")));
  for (const auto name : {"crash", "uses", "load", "asks", "needs"}) {
    EXPECT_EQ(properties_of(part(definition("image"), name)),
              known_to_parser(file_with_spec(cat("{images: [{", name, ": {wrong: 1}}]}"))));
  }
}

}  // namespace
}  // namespace minik::sim
