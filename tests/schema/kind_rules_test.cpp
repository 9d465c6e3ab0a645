// Kubernetes' validation, kind by kind, as data: kind_rules.yaml. Each wrong is tried singly on an object that is right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/keys.h"
#include "control/object/patch.h"
#include "control/object/yaml.h"
#include "control/schema/decode.h"
#include "control/schema/defaults.h"
#include "control/schema/validation.h"

namespace minik::control {

void PrintTo(const YamlDocument& document, std::ostream* out) {
  *out << "kind_rules.yaml:" << document.line;
}

namespace {

std::vector<YamlDocument> kind_rules() {
  std::stringstream text;
  text << std::ifstream("tests/schema/kind_rules.yaml").rdbuf();
  auto parsed = parse_yaml(text.str(), "kind_rules.yaml");
  CHECK(parsed.ok()) << parsed.error().message;
  return *std::move(parsed);
}

const ResourceInfo& resource_of(const Value& object) {
  const auto* resource = Schema::builtin().find_kind(object[keys::kApiVersion].as_string(), object[keys::kKind].as_string());
  CHECK(resource != nullptr);
  return *resource;
}

// The object as the server has it when it comes to validation.
Value received(const Value& object) {
  const ResourceInfo& resource = resource_of(object);
  const auto decoded = decode(*resource.type, object);
  CHECK(decoded.ok()) << decoded.error().message;
  EXPECT_TRUE(decoded->unknown_fields.empty()) << decoded->unknown_fields[0];
  Value whole = apply_defaults(*resource.type, decoded->object);
  return resource.namespaced ? whole.with_at({keys::kMetadata, keys::kNamespace}, "default") : whole;
}

// A sentence that ends in dots is the beginning of one: names explain themselves at length.
void expect_told(const FieldErrors& errors, const Value& told, const Value& about) {
  const std::string text = errors.text(), wanted = told.string();
  if (wanted.ends_with("...")) {
    EXPECT_THAT(text, ::testing::StartsWith(wanted.substr(0, wanted.size() - 3))) << to_json(about);
  } else {
    EXPECT_EQ(text, wanted) << to_json(about);
  }
}

const std::string kNothing = FieldErrors().text();

class KindRules : public ::testing::TestWithParam<YamlDocument> {};

TEST_P(KindRules, SayWhatIsWrongInKubernetesWords) {
  const Value& right = GetParam().value["object"];
  const ResourceInfo& resource = resource_of(right);
  const auto check = [&](const Value& object) { return check_object(resource, received(object)); };
  EXPECT_EQ(check(right).text(), kNothing);
  for (const auto& more : GetParam().value["right"].items())
    EXPECT_EQ(check(apply_merge_patch(right, more)).text(), kNothing) << to_json(more);
  for (const auto& wrong : GetParam().value["wrong"].items())
    expect_told(check(apply_merge_patch(right, wrong.items()[0])), wrong.items()[1], wrong.items()[0]);
  for (const auto& change : GetParam().value["change"].items()) {
    const Value changed = received(apply_merge_patch(right, change.items()[0]));
    expect_told(check_change(resource, changed, received(right)), change.items()[1], change.items()[0]);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, KindRules, ::testing::ValuesIn(kind_rules()), [](const auto& of) {
  return cat(of.param.value["object"][keys::kKind].as_string(), "_", of.param.line);
});

// What is too long to be written down.
TEST(KindRuleLimits, BoundWhatAnObjectHolds) {
  const auto told = [](const Value& object, const Value& more) {
    return check_object(resource_of(object), received(apply_merge_patch(object, more))).text();
  };
  const auto document = [](std::string_view text) { return *parse_json(text); };
  const Value storage_class = document(R"({"apiVersion":"storage.k8s.io/v1","kind":"StorageClass","metadata":{"name":"a"},"provisioner":"p"})");
  MapBuilder many;
  for (int i = 0; i < 513; ++i) many.set(Key(cat("p", i)), "v");
  EXPECT_EQ(told(storage_class, Value::map({{"parameters", std::move(many).build()}})), "parameters: Too long: may not be more than 512 bytes");
  EXPECT_EQ(told(storage_class, Value::map({{"parameters", Value::map({{"p", std::string(300'000, 'v')}})}})),
            "parameters: Too long: may not be more than 262144 bytes");
  const auto storage_node = [&](size_t id_size) {
    return document(cat(R"({"apiVersion":"storage.k8s.io/v1","kind":"CSINode","metadata":{"name":"a"},"spec":{"drivers":[{"name":"d","nodeID":")",
                        std::string(id_size, 'n'), R"("}]}})"));
  };
  EXPECT_EQ(told(storage_node(256), Value::empty_map()), kNothing);
  EXPECT_THAT(told(storage_node(257), Value::empty_map()), ::testing::EndsWith("must be 256 characters or less"));
  const Value slice = document(R"({"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","metadata":{"name":"a"},"addressType":"IPv4"})");
  std::vector<Value> ports;
  for (int i = 0; i < 20'001; ++i) ports.push_back(Value::map({{"name", cat("p", i)}, {"port", 80}}));
  EXPECT_EQ(told(slice, Value::map({{"ports", Value::array(ports)}})), "ports: Too many: 20001: must have at most 20000 items");
}

}  // namespace
}  // namespace minik::control
