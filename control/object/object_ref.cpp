#include "control/object/object_ref.h"

#include "control/object/keys.h"

namespace minik::control {

std::string_view object_name(const Value& object) {
  return object[keys::kMetadata][keys::kName].as_string();
}

std::string_view object_namespace(const Value& object) {
  return object[keys::kMetadata][keys::kNamespace].as_string();
}

std::string_view object_uid(const Value& object) {
  return object[keys::kMetadata][keys::kUid].as_string();
}

Revision object_revision(const Value& object) {
  return parse_revision(object[keys::kMetadata][keys::kResourceVersion].as_string())
      .value_or(Revision{});
}

ObjectKey key_of(const Value& object) {
  return {std::string(object_namespace(object)), std::string(object_name(object))};
}

bool is_deleting(const Value& object) {
  return object[keys::kMetadata][keys::kDeletionTimestamp].has_value();
}

const Value& controller_of(const Value& object) {
  for (const auto& owner : object[keys::kMetadata][keys::kOwnerReferences].items()) {
    if (owner[keys::kController].as_bool()) return owner;
  }
  return Value::absent();
}

const Value& annotation(const Value& object, std::string_view name) {
  return object[keys::kMetadata][keys::kAnnotations].get(name);
}

Value with_annotation(const Value& object, std::string_view name, Value value) {
  return object.with_at({keys::kMetadata, keys::kAnnotations, Key(name)}, std::move(value));
}

std::optional<Revision> parse_revision(std::string_view text) {
  const auto number = parse_uint64(text);
  if (!number) return {};
  return Revision{*number};
}

}  // namespace minik::control
