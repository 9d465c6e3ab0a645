// Kubernetes' validation, as data: refusals.yaml. Each refusal names its fields and reasons, and changes nothing.
#include <fstream>
#include <sstream>

#include "control/object/yaml.h"
#include "tests/conformance/world.h"

namespace minik::control {

void PrintTo(const YamlDocument& document, std::ostream* out) {
  *out << "refusals.yaml:" << document.line;
}

namespace {

std::vector<YamlDocument> refusals() {
  std::stringstream text;
  text << std::ifstream("tests/conformance/refusals.yaml").rdbuf();
  auto parsed = parse_yaml(text.str(), "refusals.yaml");
  CHECK(parsed.ok()) << parsed.error().message;
  return *std::move(parsed);
}

class Refusal : public Conformance, public ::testing::WithParamInterface<YamlDocument> {};

TEST_P(Refusal, NamesItsFieldsAndReasons) {
  const Value& refusal = GetParam().value;
  SCOPED_TRACE(cat("refusals.yaml:", GetParam().line, ": ", refusal["why"].string()));
  const Value& object = refusal["object"];
  const auto* resource = Schema::builtin().find_kind(object[keys::kApiVersion].as_string(), object[keys::kKind].as_string());
  ASSERT_NE(resource, nullptr);
  auto answer = create(*resource, object);
  const std::string self = cat(collection_of(*resource), "/", object_name(object));
  Value before;
  if (refusal["patch"].has_value()) {
    ASSERT_EQ(answer.status, 201) << answer.message();
    before = get(self).body;
    answer = patch(self, to_json(refusal["patch"]));
  }
  EXPECT_EQ(answer.status, 422) << answer.message();
  std::vector<std::string> causes, wanted;
  for (size_t i = 0; i < answer.body[keys::kDetails][keys::kCauses].size(); ++i) causes.push_back(answer.cause(i));
  for (const auto& cause : refusal["causes"].items()) wanted.push_back(cause.string());
  EXPECT_EQ(causes, wanted) << answer.message();
  if (refusal["says"].has_value()) {
    const std::string message = answer.message();
    EXPECT_EQ(message.substr(message.find(" is invalid: ") + 13), refusal["says"].string());
  }
  const auto after = get(self);
  if (before.has_value()) {
    EXPECT_EQ(after.body, before);
  } else {
    EXPECT_EQ(after.status, 404);
  }
}

INSTANTIATE_TEST_SUITE_P(Of, Refusal, ::testing::ValuesIn(refusals()), [](const auto& of) {
  return cat("line_", of.param.line);
});

}  // namespace
}  // namespace minik::control
