#include "control/extension/stored_form.h"

#include <algorithm>

#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr const char* kStoredIn = "minik.dev/stored-in";

bool names(const Value& list, std::string_view version) {
  const auto items = list.items();
  return std::any_of(items.begin(), items.end(), [&](const Value& item) { return item.as_string() == version; });
}

bool has_version(const Value& definition, std::string_view name) {
  const auto versions = definition[keys::kSpec].get("versions").items();
  return std::any_of(versions.begin(), versions.end(), [&](const Value& v) { return v[keys::kName].as_string() == name; });
}

// The oldest that objects may be in.
std::string form_that_follows(const Value& definition) {
  const auto stored = definition[keys::kStatus].get("storedVersions").items();
  if (!stored.empty() && has_version(definition, stored.front().as_string())) return stored.front().string();
  return std::string(storage_version(definition));
}

}  // namespace

bool converts_by_webhook(const Value& definition) {
  return definition[keys::kSpec].get("conversion").get("strategy").as_string() == "Webhook";
}

std::string_view storage_version(const Value& definition) {
  for (const Value& version : definition[keys::kSpec].get("versions").items()) {
    if (version.get("storage").as_bool()) return version[keys::kName].as_string();
  }
  return {};
}

std::string stored_form(const Value& definition) {
  if (!converts_by_webhook(definition)) return std::string(storage_version(definition));
  const std::string noted = definition[keys::kMetadata][keys::kAnnotations].get(kStoredIn).string();
  return noted.empty() ? form_that_follows(definition) : noted;
}

Value with_stored_form(const Value& definition, const std::string& form) {
  const bool follows = !converts_by_webhook(definition) || form == form_that_follows(definition);
  const Value& annotations = definition[keys::kMetadata][keys::kAnnotations];
  if (follows && annotations.get(kStoredIn).is_absent()) return definition;
  MapBuilder changed(annotations.is_map() ? annotations : Value::empty_map());
  changed.set(kStoredIn, follows ? Value() : Value(form));
  return definition.with_at({keys::kMetadata, keys::kAnnotations}, changed.empty() ? Value() : std::move(changed).build());
}

bool is_to_leave(const Value& definition, const std::string& form) {
  return converts_by_webhook(definition) && form != storage_version(definition) &&
         !names(definition[keys::kStatus].get("storedVersions"), form);
}

}  // namespace minik::control
