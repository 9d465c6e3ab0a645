#include "control/apply/managed_fields.h"

#include <algorithm>
#include <map>

#include "control/apply/last_applied.h"
#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kApply = "Apply", kUpdate = "Update";
constexpr std::string_view kBeforeFirstApply = "before-first-apply";
// Of more updaters than this the oldest become one, for each version: an object that everybody touches stays small.
constexpr size_t kUpdatersMax = 10;
constexpr std::string_view kOldest = "ancient-changes";

struct Manager {
  std::string name, operation, api_version, subresource;
  Value time;
  FieldSet fields;

  bool is(const FieldWriter& writer, std::string_view wanted_operation) const {
    return name == writer.manager && operation == wanted_operation && subresource == writer.subresource;
  }
};

Result<std::vector<Manager>> read_managers(const Value& list) {
  std::vector<Manager> managers;
  for (const auto& entry : list.items()) {
    Manager manager;
    manager.name = entry[keys::kManager].string();
    manager.operation = entry[keys::kOperation].string();
    manager.api_version = entry[keys::kApiVersion].string();
    manager.subresource = entry[keys::kSubresource].string();
    manager.time = entry[keys::kTime];
    MINIK_ASSIGN(manager.fields, FieldSet::from_fields_v1(entry[keys::kFieldsV1]));
    managers.push_back(std::move(manager));
  }
  return managers;
}

// Appliers first, then by time.
Value write_managers(std::vector<Manager> managers) {
  std::erase_if(managers, [](const Manager& manager) { return manager.fields.empty(); });
  std::ranges::stable_sort(managers, [](const Manager& a, const Manager& b) {
    if (a.operation != b.operation) return a.operation < b.operation;
    if (!(a.time == b.time)) return a.time.as_string() < b.time.as_string();
    return std::tie(a.name, a.subresource) < std::tie(b.name, b.subresource);
  });
  std::vector<Value> list;
  for (const auto& manager : managers) {
    list.push_back(Value::map(
        {{keys::kManager, manager.name},
         {keys::kOperation, manager.operation},
         {keys::kApiVersion, manager.api_version},
         {keys::kTime, manager.time},
         {keys::kFieldsType, "FieldsV1"},
         {keys::kFieldsV1, manager.fields.to_fields_v1()},
         {keys::kSubresource, manager.subresource.empty() ? Value() : Value(manager.subresource)}}));
  }
  return list.empty() ? Value() : Value::array(std::move(list));
}

bool writes_status_alone(const FieldWriter& writer) {
  return writer.subresource == "status" || writer.subresource == "approval";
}

// Without what nobody manages: the server's own part of metadata, and what this way of writing does not reach.
FieldSet managed_part(const ResourceInfo& resource, const FieldWriter& writer, FieldSet set) {
  constexpr std::string_view kMetadata = "f:metadata", kStatus = "f:status";
  set.erase("f:apiVersion");
  set.erase("f:kind");
  if (writes_status_alone(writer)) {
    FieldSet status;
    if (const FieldSet* there = set.find(kStatus)) status.at(std::string(kStatus)) = *there;
    return status;
  }
  if (resource.subresource("status")) set.erase(kStatus);
  if (!set.find(kMetadata)) return set;
  FieldSet& metadata = set.at(std::string(kMetadata));
  for (const auto* name : {"f:name", "f:namespace", "f:creationTimestamp", "f:selfLink", "f:uid", "f:generation",
                           "f:resourceVersion", "f:managedFields", "f:generateName", "f:deletionTimestamp",
                           "f:deletionGracePeriodSeconds"}) {
    metadata.erase(name);
  }
  if (metadata.empty()) set.erase(kMetadata);
  return set;
}

// What of a configuration this way of writing reaches. The rest is set back before anything is written, so nobody can
// be in conflict about it.
Value reached_part(const ResourceInfo& resource, const FieldWriter& writer, const Value& config) {
  if (!writes_status_alone(writer)) return resource.subresource("status") ? config.without(keys::kStatus) : config;
  const Value& metadata = config[keys::kMetadata];  // by which the version is told that the sender has seen
  return Value::map({{keys::kMetadata, Value::map({{keys::kUid, metadata[keys::kUid]},
                                                   {keys::kResourceVersion, metadata[keys::kResourceVersion]}})},
                     {keys::kStatus, config[keys::kStatus]}});
}

Value without_managers(const Value& object) {
  const Value& metadata = object[keys::kMetadata];
  return metadata[keys::kManagedFields].is_absent()
             ? object
             : object.with(keys::kMetadata, metadata.without(keys::kManagedFields));
}

Value with_managers(const Value& object, const Value& managers) {
  return object.with(keys::kMetadata, object[keys::kMetadata].with(keys::kManagedFields, managers));
}

bool is_reset(const Value& list) {
  return list.is_array() && (list.empty() || (list.size() == 1 && list.items()[0].empty()));
}

void change(Manager& manager, FieldSet fields, const FieldWriter& writer) {
  if (fields == manager.fields) return;
  manager.fields = std::move(fields);
  manager.time = format_time(writer.now);
}

Manager& manager_of(std::vector<Manager>& managers, const ResourceInfo& resource, const FieldWriter& writer,
                    std::string_view operation) {
  const auto found =
      std::ranges::find_if(managers, [&](const Manager& manager) { return manager.is(writer, operation); });
  if (found != managers.end()) {
    found->api_version = resource.api_version;
    return *found;
  }
  managers.push_back({writer.manager, std::string(operation), resource.api_version, writer.subresource,
                      Value(format_time(writer.now)), {}});
  return managers.back();
}

void merge_oldest(std::vector<Manager>& managers) {
  std::erase_if(managers, [](const Manager& manager) { return manager.fields.empty(); });
  const auto is_updater = [](const Manager& manager) { return manager.operation == kUpdate; };
  auto updaters = static_cast<size_t>(std::ranges::count_if(managers, is_updater));
  if (updaters <= kUpdatersMax) return;
  std::ranges::stable_sort(managers, [&](const Manager& a, const Manager& b) {
    return std::pair(is_updater(a), a.time.as_string()) < std::pair(is_updater(b), b.time.as_string());
  });
  std::map<std::string, size_t> oldest;  // by version, where its changes are gathered
  for (size_t i = 0; i < managers.size() && updaters > kUpdatersMax; ++i) {
    if (!is_updater(managers[i])) continue;
    const auto [first, is_first] = oldest.try_emplace(managers[i].api_version, i);
    if (is_first) continue;
    Manager& kept = managers[first->second];
    kept = {std::string(kOldest), std::string(kUpdate), kept.api_version, "", managers[i].time,
            kept.fields.united(managers[i].fields)};
    managers[i].fields = {};
    --updaters;
  }
}

std::string shown(const Manager& manager) {
  std::string text = quoted(manager.name);
  if (!manager.subresource.empty()) text += cat(" with subresource ", quoted(manager.subresource));
  if (manager.operation == kUpdate) {
    text += cat(" using ", manager.api_version);
    if (manager.time.is_string()) text += cat(" at ", manager.time.as_string());
  }
  return text;
}

Error conflict_error(const std::vector<std::pair<std::string, std::vector<std::string>>>& conflicts) {
  std::vector<ErrorCause> causes;
  std::string lines;
  for (const auto& [manager, paths] : conflicts) {
    lines += cat(lines.empty() ? "" : "\n", "conflicts with ", manager, ":");
    for (const auto& path : paths) {
      causes.push_back({"FieldManagerConflict", cat("conflict with ", manager), path});
      lines += cat("\n- ", path);
    }
  }
  Error error(ErrorCode::kConflict,
              causes.size() == 1
                  ? cat("Apply failed with 1 conflict: conflict with ", conflicts[0].first, ": ", causes[0].field)
                  : cat("Apply failed with ", causes.size(), " conflicts: ", lines));
  error.causes = std::move(causes);
  return error;
}

// The account of an object that was made before anybody kept one.
Result<std::vector<Manager>> managers_before_apply(const ResourceInfo& resource, const Value& live,
                                                   const FieldWriter& writer) {
  MINIK_ASSIGN(auto managers, read_managers(live[keys::kMetadata][keys::kManagedFields]));
  if (!managers.empty()) return managers;
  const FieldWriter before{std::string(kBeforeFirstApply), "", writer.now};
  MINIK_ASSIGN(const auto all, field_set_of(*resource.type, without_managers(live), true));
  manager_of(managers, resource, before, kUpdate).fields = managed_part(resource, before, all);
  return managers;
}

}  // namespace

Result<Value> updated_managers(const ResourceInfo& resource, const Value& before, const Value& next,
                               const FieldWriter& writer) {
  const Value& kept = before[keys::kMetadata][keys::kManagedFields];
  const Value& given = next[keys::kMetadata][keys::kManagedFields];
  if (is_reset(given)) return with_managers(next, Value());
  auto managers = read_managers(given.has_value() ? given : kept);
  if (!managers) managers = read_managers(kept);  // whatever a client has made of them
  if (!managers) return std::move(managers).error();
  const Value bare_before = without_managers(before), bare_next = without_managers(next);
  Differences changes = differences(*resource.type, bare_before, bare_next);
  changes.added.unite(changes.modified);
  const FieldSet taken = managed_part(resource, writer, std::move(changes.added));
  const FieldSet& gone = changes.removed;
  if (!taken.empty()) manager_of(*managers, resource, writer, kUpdate);
  for (auto& manager : *managers) {
    if (manager.is(writer, kUpdate)) {
      change(manager, manager.fields.without(gone).united(taken), writer);
    } else {
      change(manager, manager.fields.without(taken).without(gone), writer);
    }
  }
  merge_oldest(*managers);
  return with_managers(next, write_managers(*std::move(managers)));
}

Result<AppliedObject> apply_configuration(const ResourceInfo& resource, const Value& live, const Value& whole,
                                          const FieldWriter& writer, bool force) {
  const TypeInfo& type = *resource.type;
  const Value config = reached_part(resource, writer, whole);
  MINIK_ASSIGN(const auto all, field_set_of(type, config));
  const FieldSet wanted = managed_part(resource, writer, all);
  if (live.is_absent()) {
    std::vector<Manager> managers;
    manager_of(managers, resource, writer, kApply).fields = wanted;
    return AppliedObject{with_managers(config, write_managers(std::move(managers))), true};
  }
  MINIK_ASSIGN(auto managers, managers_before_apply(resource, live, writer));
  const Value bare = without_managers(live);
  MINIK_ASSIGN(Value next, merged(type, bare, config));
  Manager& self = manager_of(managers, resource, writer, kApply);
  FieldSet others;
  for (const auto& manager : managers) {
    if (&manager != &self) others = others.united(manager.fields);
  }
  const FieldSet given_up = self.fields.without(wanted).without(others);
  FieldSet kept = others.united(wanted);
  kept.at(FieldSet::field("metadata")).insert();  // which has more than anybody manages
  next = without_fields(type, next, given_up, kept);

  // What a write of this kind does not reach stays as it is: a status in an applied object is nobody's conflict.
  const Differences changes = differences(type, bare, next);
  const FieldSet touched = managed_part(resource, writer, changes.modified.united(changes.added));
  const FieldSet gone = managed_part(resource, writer, changes.removed);
  std::map<std::string, std::vector<std::string>> conflicts;
  const FieldSet granted =
      writer.manager == kLastAppliedManager ? still_as_last_applied(type, resource.api_version, bare) : FieldSet();
  for (const auto& manager : managers) {
    if (&manager == &self) continue;
    const auto paths = manager.fields.intersected(touched).without(granted).paths();
    if (!paths.empty()) conflicts[shown(manager)] = paths;
  }
  if (!conflicts.empty() && !force) return conflict_error({conflicts.begin(), conflicts.end()});
  for (auto& manager : managers) {
    if (&manager != &self) change(manager, manager.fields.without(touched).without(gone), writer);
  }
  change(self, wanted, writer);
  const Value account = write_managers(std::move(managers));
  const bool changed = !changes.empty() || !(account == live[keys::kMetadata][keys::kManagedFields]);
  return AppliedObject{with_managers(next, account), changed};
}

}  // namespace minik::control
