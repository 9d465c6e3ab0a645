// A CustomResourceDefinition's schema and an object of it, both from a client: whether the schema is
// structural, and, whatever the answer, pruning, defaults, validation and rules of the object. Pruning and
// defaults must be fixed points, because objects come back from clients that have read them.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "control/extension/custom_version.h"
#include "control/extension/definition_rules.h"
#include "control/extension/documents.h"
#include "control/extension/rules.h"
#include "control/extension/structural_rules.h"
#include "control/object/json.h"
#include "control/schema/decode.h"

namespace {

using namespace minik::control;

Value definition_of(const Value& schema) {
  return Value::map(
      {{"metadata", Value::map({{"name", "things.example.com"}})},
       {"spec", Value::map({{"group", "example.com"},
                            {"scope", "Namespaced"},
                            {"names", Value::map({{"plural", "things"}, {"kind", "Thing"}})},
                            {"versions", Value::array({Value::map({{"name", "v1"},
                                                                   {"served", true},
                                                                   {"storage", true},
                                                                   {"schema", Value::map({{"openAPIV3Schema", schema}})}})})}})},
       {"status", Value::map({{"acceptedNames", Value::map({{"plural", "things"}, {"kind", "Thing"}})}})}});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  if (line == std::string_view::npos) return 0;
  (void)JsonPath::parse(text.substr(0, line)).ok();
  const auto given = parse_json(text.substr(0, line));
  const auto object = parse_json(text.substr(line + 1));
  if (!given || !object || !given->is_map() || !object->is_map()) return 0;
  const auto type = Schema::builtin().find_type("apiextensions", "JSONSchemaProps");
  const auto decoded = decode(*type, *given);
  if (!decoded) return 0;
  const Value definition = definition_of(decoded->object);
  FieldErrors of_definition;
  check_definition(definition, Value(), of_definition);
  if (of_definition.empty()) {
    const Value completed_once = completed_definition(definition);
    CHECK(completed_definition(completed_once) == completed_once);
  }
  const Value& version = definition.get("spec").get("versions").items()[0];
  const CustomVersion kind(definition, version, {KindId{600}, KindId{601}});
  const auto read = kind.decode(*object);
  if (!read) return 0;
  const auto again = kind.decode(read->object);
  CHECK(again && again->unknown_fields.empty() && again->object == read->object) << to_json(read->object);
  const Value completed = kind.with_defaults(read->object);
  // A default may itself ask for defaults only where the schema was refused.
  if (of_definition.empty()) {
    CHECK(kind.with_defaults(completed) == completed) << to_json(completed);
  }
  FieldErrors errors, ratcheted;
  kind.check(completed, Value(), errors);
  kind.check(completed, completed, ratcheted);
  (void)kind.cells(completed, minik::WallTime{1'800'000'000'000'000'000});
  (void)kind.openapi(OpenApiDialect::kV2, "#/");
  (void)kind.openapi(OpenApiDialect::kV3, "#/");
  return 0;
}
