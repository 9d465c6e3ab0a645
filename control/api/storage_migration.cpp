#include "control/api/storage_migration.h"

#include <algorithm>
#include <map>
#include <utility>

#include "control/api/metadata.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr const char* kStoredIn = "minik.dev/stored-in";
constexpr size_t kObjectsPerQuestion = 100;  // well below the 3 MiB that a webhook's answer may have

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

struct StorageMigration::Job {
  const ResourceInfo &from, &to;
  std::function<void(Status)> done;
  using Place = std::pair<std::string, std::string>;
  struct Converted {
    Value seen, converted;
  };
  std::map<Place, Converted> objects = {};
};

void StorageMigration::run(const ResourceInfo& from, const ResourceInfo& to, std::function<void(Status)> done) {
  next(std::make_shared<Job>(Job{from, to, std::move(done)}));
}

void StorageMigration::next(const std::shared_ptr<Job>& job) {
  const auto all = store_.list(job->from.stored_as(), "");
  std::vector<Value> asked;
  for (const Value& object : all->objects) {
    const auto known = job->objects.find({std::string(object_namespace(object)), std::string(object_name(object))});
    if (known != job->objects.end() && known->second.seen.same_node(object)) continue;
    asked.push_back(object);
    if (asked.size() == kObjectsPerQuestion) break;
  }
  if (asked.empty()) return finish(job);
  conversion_.convert(job->from, job->to, asked, [this, job, asked](Result<std::vector<Value>> converted) {
    if (!converted) return job->done(Status(std::move(converted).error()));
    for (size_t i = 0; i < asked.size(); ++i) {
      job->objects[{std::string(object_namespace(asked[i])), std::string(object_name(asked[i]))}] = {asked[i], (*converted)[i]};
    }
    next(job);
  });
}

void StorageMigration::finish(const std::shared_ptr<Job>& job) {
  const KindId kind = job->from.stored_as();
  const auto all = store_.list(kind, "");
  for (const Value& object : all->objects) {
    const auto& entry = job->objects.at({std::string(object_namespace(object)), std::string(object_name(object))});
    MapBuilder bare(entry.converted);
    bare.erase(keys::kApiVersion).erase(keys::kKind);  // as objects are stored
    store_.put(kind, with_revision(std::move(bare).build(), store_.next_revision()));
  }
  job->done({});
}

}  // namespace minik::control
