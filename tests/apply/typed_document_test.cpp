#include "control/apply/typed_document.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"

namespace minik::control {
namespace {

const TypeInfo& pod_type() { return *Schema::builtin().find_kind("v1", "Pod")->type; }
Value yaml(std::string_view text) { return parse_yaml(text)->at(0).value; }

std::string env_of(const Value& pod) {
  std::string names;
  for (const auto& variable : pod[keys::kSpec][keys::kContainers].items()[0][keys::kEnv].items())
    names += variable[keys::kName].as_string();
  return names;
}
Value with_env(std::string_view names) {
  std::string list;
  for (const char c : names) list += cat(list.empty() ? "" : ", ", "{name: ", std::string(1, c), ", value: x}");
  return yaml(cat("spec: {containers: [{name: c, env: [", list, "]}]}"));
}

TEST(TypedDocument, ItemsOfAListStandInTheOrderOfTheConfiguration) {
  const auto order = [](std::string_view live, std::string_view config) {
    return env_of(*merged(pod_type(), with_env(live), with_env(config)));
  };
  EXPECT_EQ(order("ab", "ab"), "ab");
  EXPECT_EQ(order("ab", "ba"), "ba");
  EXPECT_EQ(order("axb", "ba"), "bax") << "what only the server has stays in between";
  EXPECT_EQ(order("xab", "abc"), "xabc");
}

TEST(TypedDocument, AtomicThingsAreReplacedAsAWhole) {
  const Value live = yaml("spec: {nodeSelector: {a: '1', b: '2'}, containers: [{name: c, command: [a, b]}]}");
  const Value config = yaml("spec: {nodeSelector: {a: '9'}, containers: [{name: c, command: [z]}]}");
  const Value both = *merged(pod_type(), live, config);
  EXPECT_EQ(to_json(both[keys::kSpec][keys::kNodeSelector]), R"({"a":"9"})") << "the schema calls it atomic";
  EXPECT_EQ(to_json(both[keys::kSpec][keys::kContainers].items()[0][keys::kCommand]), R"(["z"])");
}

TEST(TypedDocument, TellsWhatIsNewWhatIsGoneAndWhatIsOther) {
  const auto changes = differences(pod_type(), yaml("metadata: {labels: {a: '1', b: '2'}}\nspec: {hostname: x}"),
                                   yaml("metadata: {labels: {a: '9', c: '3'}}\nspec: {hostname: x}"));
  EXPECT_EQ(join(changes.added.paths(), " "), ".metadata.labels.c");
  EXPECT_EQ(join(changes.removed.paths(), " "), ".metadata.labels.b");
  EXPECT_EQ(join(changes.modified.paths(), " "), ".metadata.labels.a");
}

TEST(TypedDocument, TakesOutFieldsButNothingThatIsKept) {
  const Value pod = yaml("metadata: {finalizers: [a, b]}\nspec: {containers: [{name: x, image: i}, {name: y, image: j}]}");
  const auto fields = field_set_of(pod_type(), yaml("metadata: {finalizers: [a]}\nspec: {containers: [{name: x, image: i}, {name: y, image: j}]}"));
  const auto keep = field_set_of(pod_type(), yaml("metadata: {finalizers: [b]}\nspec: {containers: [{name: y}]}"));
  EXPECT_EQ(to_json(without_fields(pod_type(), pod, *fields, *keep)),
            R"({"metadata":{"finalizers":["b"]},"spec":{"containers":[{"name":"y"}]}})");
}

TEST(TypedDocument, TakesOutAFieldOfATypeWithAllThatIsInIt) {
  const Value live = yaml("metadata: {name: p}\nspec: {os: {name: linux}, volumes: [{name: v, configMap: {name: c, defaultMode: 420}}], "
                          "affinity: {nodeAffinity: {}, podAffinity: {}}}");
  const auto gone = field_set_of(pod_type(), yaml("spec: {os: {name: linux}, volumes: [{name: v, configMap: {name: c}}], affinity: {nodeAffinity: {}}}"));
  const auto keep = field_set_of(pod_type(), yaml("spec: {volumes: [{name: v}], affinity: {podAffinity: {}}}"));
  EXPECT_EQ(to_json(without_fields(pod_type(), live, *gone, *keep)),
            R"({"metadata":{"name":"p"},"spec":{"affinity":{"podAffinity":{}},"volumes":[{"name":"v"}]}})");
}

}  // namespace
}  // namespace minik::control
