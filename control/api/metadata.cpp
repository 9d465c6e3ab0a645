#include "control/api/metadata.h"

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// Kubernetes cuts the base so that base and suffix fit a DNS label's 63 characters.
std::string generated_name(std::string_view base, Rng& rng) {
  constexpr size_t kBaseMax = 58;
  return cat(base.substr(0, kBaseMax), rng.suffix(5));
}

Value with_metadata(const Value& object, const auto& change) {
  MapBuilder metadata(object[keys::kMetadata]);
  change(metadata);
  return object.with(keys::kMetadata, std::move(metadata).build());
}

}  // namespace

Value stamp_new(const Value& object, std::string_view namespace_, const Value& now, bool generation, Rng& rng) {
  return with_metadata(object, [&](MapBuilder& metadata) {
    const auto name = metadata.get(keys::kName).as_string();
    const auto prefix = metadata.get(keys::kGenerateName).as_string();
    if (name.empty() && !prefix.empty()) metadata.set(keys::kName, generated_name(prefix, rng));
    metadata.set(keys::kNamespace, namespace_.empty() ? Value() : Value(namespace_));
    metadata.set(keys::kUid, rng.uuid());
    metadata.set(keys::kCreationTimestamp, now);
    metadata.set(keys::kGeneration, generation ? Value(1) : Value());
    metadata.erase(keys::kDeletionTimestamp);
    metadata.erase(keys::kDeletionGracePeriodSeconds);
    metadata.erase(keys::kSelfLink);
    metadata.erase(keys::kManagedFields);
  });
}

Value with_revision(const Value& object, Revision revision) {
  return object.with(keys::kMetadata, object[keys::kMetadata].with(keys::kResourceVersion, cat(revision.value)));
}

Value with_generation(const Value& object, int64_t generation) {
  return with_metadata(object,
                       [&](MapBuilder& metadata) { metadata.set(keys::kGeneration, generation); });
}

Value with_deletion(const Value& object, WallTime now, int64_t grace_seconds) {
  return with_metadata(object, [&](MapBuilder& metadata) {
    metadata.set(keys::kDeletionTimestamp, format_time(now + seconds(grace_seconds)));
    metadata.set(keys::kDeletionGracePeriodSeconds, grace_seconds);
  });
}

Value with_finalizer(const Value& object, std::string_view finalizer) {
  if (has_finalizer(object, finalizer)) return object;
  const auto current = object[keys::kMetadata][keys::kFinalizers].items();
  std::vector<Value> finalizers(current.begin(), current.end());
  finalizers.emplace_back(finalizer);
  return with_metadata(object, [&](MapBuilder& metadata) {
    metadata.set(keys::kFinalizers, Value::array(std::move(finalizers)));
  });
}

Value without_finalizer(const Value& object, std::string_view finalizer) {
  std::vector<Value> finalizers;
  for (const auto& item : object[keys::kMetadata][keys::kFinalizers].items()) {
    if (item.as_string() != finalizer) finalizers.push_back(item);
  }
  return with_metadata(object, [&](MapBuilder& metadata) {
    metadata.set(keys::kFinalizers, finalizers.empty() ? Value() : Value::array(std::move(finalizers)));
  });
}

bool has_finalizers(const Value& object) {
  return !object[keys::kMetadata][keys::kFinalizers].empty();
}

bool has_finalizer(const Value& object, std::string_view finalizer) {
  for (const auto& item : object[keys::kMetadata][keys::kFinalizers].items()) {
    if (item.as_string() == finalizer) return true;
  }
  return false;
}

}  // namespace minik::control
