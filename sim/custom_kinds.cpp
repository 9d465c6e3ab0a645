#include "sim/custom_kinds.h"

#include <algorithm>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

void find_definitions(const Value& objects, std::vector<CustomDefinition>& into) {
  if (objects.is_array()) {
    for (const auto& item : objects.items()) find_definitions(item, into);
    return;
  }
  if (objects[keys::kKind].as_string() == "List") find_definitions(objects[keys::kItems], into);
  if (objects[keys::kKind].as_string() != "CustomResourceDefinition") return;
  const Value& spec = objects[keys::kSpec];
  CustomDefinition definition;
  definition.group = spec.get("group").as_string();
  definition.plural = spec.get("names").get("plural").as_string();
  definition.kind = spec.get("names").get("kind").as_string();
  definition.namespaced = spec.get("scope").as_string() != "Cluster";
  for (const auto& version : spec.get("versions").items()) definition.versions.emplace_back(version[keys::kName].as_string());
  const bool known = std::ranges::any_of(into, [&](const CustomDefinition& other) {
    return other.group == definition.group && other.plural == definition.plural;
  });
  if (known || into.size() >= control::KindRegistry::kKindsMax) return;
  definition.id = {static_cast<uint16_t>(control::KindRegistry::kFirst + into.size())};
  into.push_back(std::move(definition));
}

const CustomDefinition* definition_of(const std::vector<CustomDefinition>& all, std::string_view kind) {
  const auto found = std::ranges::find(all, kind, &CustomDefinition::kind);
  return found == all.end() ? nullptr : &*found;
}

CustomSchema::CustomSchema(const std::vector<CustomDefinition>& definitions) {
  for (const auto& definition : definitions) {
    const auto id = registry_.stored(definition.group, definition.plural);
    CHECK(id == definition.id) << definition.plural;
  }
}

std::optional<control::KindId> served_kind(const control::Schema& schema, control::KindId kind) {
  if (kind.value < control::KindRegistry::kFirst) return kind;
  for (const auto* resource : schema.served()) {
    if (resource->id == kind || resource->stored_as() == kind) return resource->id;
  }
  return {};
}

}  // namespace minik::sim
