#include "sim/scenario/manifest_fields.h"

#include "control/api/strategy.h"
#include "control/api/twin_kinds.h"
#include "control/base/text.h"
#include "control/base/typo.h"
#include "control/object/keys.h"
#include "control/schema/decode.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace keys = control::keys;
using control::Value;

namespace {

// The fields of what stands at this path, but for its last part; none where it is no object of a known type.
std::vector<std::string_view> fields_beside(const control::TypeInfo* type, std::string_view path) {
  for (size_t dot = path.find('.'); dot != std::string_view::npos && type; dot = path.find('.')) {
    const std::string_view name = path.substr(0, std::min(dot, path.find('[')));
    const control::FieldInfo* field = type->field(control::Key(name));
    type = field ? field->type : nullptr;
    path.remove_prefix(dot + 1);
  }
  std::vector<std::string_view> names;
  if (!type) return names;
  for (const auto& field : type->fields) names.push_back(field.name);
  return names;
}

// `unknown field "spec.foo"`
FieldComplaint complaint_of(const control::TypeInfo& type, const std::string& sentence) {
  const size_t begin = sentence.find('"') + 1;
  std::string path = sentence.substr(begin, sentence.rfind('"') - begin);
  const std::string word = path.substr(path.rfind('.') + 1);
  std::string what = cat(sentence, perhaps(word, fields_beside(&type, path)));
  return FieldComplaint{std::move(path), std::move(what)};
}

// A patch without what only patches have: null, and directives such as `$patch: delete`.
Value without_directives(const Value& patch) {
  if (patch.is_array()) {
    std::vector<Value> items;
    for (const auto& item : patch.items()) items.push_back(without_directives(item));
    return Value::array(std::move(items));
  }
  if (!patch.is_map()) return patch;
  std::vector<control::MapEntry> entries;
  for (const auto& [key, value] : patch.entries()) {
    if (!value.is_null() && !key.text().starts_with('$')) entries.push_back({key, without_directives(value)});
  }
  return Value::map(std::move(entries));
}

}  // namespace

const control::ResourceInfo* stored_resource(control::KindId kind) {
  const auto& builtin = control::Schema::builtin();
  if (kind.value >= builtin.resources().size()) return nullptr;
  const control::TwinKind* twin = control::twin_of(kind);
  return &builtin.resource(twin ? twin->stored : kind);
}

std::optional<FieldComplaint> complaint_about(const control::ResourceInfo& resource, const Value& manifest) {
  if (!resource.type) return std::nullopt;
  const auto decoded = control::decode(*resource.type, manifest);
  if (!decoded) return FieldComplaint{"", decoded.error().message};
  if (decoded->unknown_fields.empty()) return std::nullopt;
  return complaint_of(*resource.type, decoded->unknown_fields.front());
}

std::optional<FieldComplaint> complaint_about_patch(const control::ResourceInfo& resource, const Value& patch) {
  return complaint_about(resource, without_directives(patch));
}

std::optional<std::string> complaint_about_path(const control::ResourceInfo& resource, std::string_view path) {
  const control::TypeInfo* type = resource.type;
  if (!type) return std::nullopt;
  for (const auto part : split(path, '.')) {
    if (!type) return std::nullopt;  // below a map, whose keys are anything
    const control::FieldInfo* field = type->field(control::Key(part));
    if (!field) {
      std::vector<std::string_view> known;
      for (const auto& one : type->fields) known.push_back(one.name);
      return cat("no ", resource.kind, " has a field ", quoted(path), perhaps(part, known));
    }
    type = field->type;
  }
  return std::nullopt;
}

std::optional<std::string> refusal_of(const control::ResourceInfo& resource, const Value& manifest) {
  if (!resource.type) return std::nullopt;
  std::vector<std::string> warnings;
  auto object = control::decode_and_default(resource, manifest, Value(), control::FieldValidation::kIgnore, warnings);
  if (!object) return object.error().message;
  Value made = control::prepare_for_create(resource, *object);
  // What the server gives every object.
  const Value& metadata = made[keys::kMetadata];
  control::MapBuilder complete(metadata);
  const bool is_drawn = metadata[keys::kName].as_string().empty() && !metadata[keys::kGenerateName].as_string().empty();
  if (is_drawn) complete.set(keys::kName, cat(metadata[keys::kGenerateName].as_string(), "aaaaa"));
  if (resource.namespaced && !metadata[keys::kNamespace].has_value()) complete.set(keys::kNamespace, "default");
  complete.set(keys::kUid, "00000000-0000-0000-0000-000000000000").set(keys::kCreationTimestamp, "2026-01-01T00:00:00Z");
  made = control::complete_new(resource, made.with(keys::kMetadata, std::move(complete).build()));
  if (const Value& address = made[keys::kSpec][keys::kClusterIP]; resource.id == control::kinds::kServices && address.has_value()) {
    made = made.with_at({keys::kSpec, keys::kClusterIPs}, Value::array({address}));
  }
  const Status created = control::validate_create(resource, made);
  return created ? std::nullopt : std::optional(created.error().message);
}

}  // namespace minik::sim
