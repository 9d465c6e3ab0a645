#include "control/api/custom_resources.h"

#include <algorithm>
#include <set>

#include "control/api/api_server.h"
#include "control/api/errors.h"
#include "control/api/metadata.h"
#include "control/api/writer.h"
#include "control/base/check.h"
#include "control/base/log.h"
#include "control/base/text.h"
#include "control/extension/custom_version.h"
#include "control/extension/stored_form.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr size_t kDeletionsPerTurn = 500;  // a turn is bounded
constexpr Duration kLookAgain = seconds(1);
constexpr Duration kMigrateAgain = seconds(10);

bool condition_is(const Value& definition, std::string_view type, std::string_view status) {
  const auto conditions = definition[keys::kStatus][keys::kConditions].items();
  return std::ranges::any_of(conditions, [&](const Value& c) {
    return c[keys::kType].as_string() == type && c[keys::kStatus].as_string() == status;
  });
}

Value with_condition(const Value& definition, std::string_view type, bool holds, std::string_view reason,
                     std::string_view message, WallTime now) {
  std::vector<Value> conditions;
  bool found = false;
  const auto make = [&](const Value& before) {
    const Value status = holds ? "True" : "False";
    const bool turned = !(before[keys::kStatus] == status);
    return Value::map({{keys::kType, Value(type)},
                       {keys::kStatus, status},
                       {keys::kReason, Value(reason)},
                       {keys::kMessage, Value(message)},
                       {keys::kLastTransitionTime, turned ? Value(format_time(now)) : before[keys::kLastTransitionTime]}});
  };
  for (const auto& c : definition[keys::kStatus][keys::kConditions].items()) {
    const bool own = c[keys::kType].as_string() == type;
    found = found || own;
    conditions.push_back(own ? make(c) : c);
  }
  if (!found) conditions.push_back(make(Value()));
  return definition.with_at({keys::kStatus, keys::kConditions}, Value::array(std::move(conditions)));
}

// Names that must be one's own within a group: plural, singular and short ones share a space, and so do kinds.
std::vector<std::string> resource_names(const Value& names) {
  std::vector<std::string> all{names.get("plural").string(), names.get("singular").string()};
  for (const auto& name : names.get("shortNames").items()) all.push_back(name.string());
  return all;
}

struct Taken {
  std::set<std::string, std::less<>> resources, kinds;

  void add(const Value& names) {
    for (auto& name : resource_names(names)) resources.insert(std::move(name));
    for (const std::string_view field : {"kind", "listKind"}) kinds.insert(names.get(field).string());
  }
};

struct Names {
  Value accepted;
  std::string reason, message;  // empty: no conflict
};

// What of the wanted names is free is accepted; for the rest the names of before stay.
Names accept(const Value& wanted, const Value& before, const Taken& taken) {
  Names result;
  MapBuilder accepted(before.is_map() ? before : Value::empty_map());
  const auto refuse = [&](std::string_view field, const Value& name) {
    result.reason = cat(static_cast<char>(field[0] - 'a' + 'A'), field.substr(1), "Conflict");
    result.message = cat(quoted(name.as_string()), " is already in use");
  };
  for (const std::string_view field : {"plural", "singular", "kind", "listKind"}) {
    const Value& name = wanted.get(field);
    const auto& used = field == "kind" || field == "listKind" ? taken.kinds : taken.resources;
    used.contains(name.as_string()) ? refuse(field, name) : void(accepted.set(Key(field), name));
  }
  bool short_free = true;
  for (const auto& name : wanted.get("shortNames").items()) {
    if (!taken.resources.contains(name.as_string())) continue;
    short_free = false;
    refuse("shortNames", name);
  }
  if (short_free) accepted.set("shortNames", wanted.get("shortNames"));
  accepted.set("categories", wanted.get("categories"));
  result.accepted = std::move(accepted).build();
  return result;
}

// What a version is compiled of: when it is the same, so is what was made of it.
Value source_of(const Value& definition, const Value& version) {
  const Value& spec = definition[keys::kSpec];
  return Value::map({{keys::kSpec, Value::map({{keys::kGroup, spec[keys::kGroup]}, {"scope", spec.get("scope")}})},
                     {keys::kStatus, Value::map({{"acceptedNames", definition[keys::kStatus].get("acceptedNames")}})},
                     {keys::kVersion, version}});
}

}  // namespace

CustomResources::CustomResources(ApiServer& server, Executor& executor, Store& store, KindRegistry* registry)
    : server_(server),
      executor_(executor),
      store_(store),
      registry_(registry),
      conversion_(server, executor, store, server.schema_, server.rng_.fork("conversion"),
                  {server.options_.webhook_caller, [&server](const ApiRequest& request) { return server.authorize(request); }}),
      migration_(store, conversion_),
      look_again_(executor),
      alive_(std::make_shared<bool>(true)) {
  if (!registry_) return;
  // Definitions that were served before are served at once: their objects are there already.
  store_.for_each(kinds::kCustomresourcedefinitions, [this](const Value& definition) {
    if (condition_is(definition, "Established", "True")) serve(definition);
  });
  auto watch = store_.watch(kinds::kCustomresourcedefinitions, store_.durable_revision(), {},
                            [this](const StoreEvent&) { schedule(); });
  CHECK(watch.ok()) << "a watch from now";
  watch_ = *watch;
  if (store_.count(kinds::kCustomresourcedefinitions) > 0) schedule();
}

CustomResources::~CustomResources() {
  *alive_ = false;
  if (registry_) store_.unwatch(watch_);
}

std::optional<KindId> CustomResources::recovered_kind(KindRegistry& registry, std::string_view group_resource) {
  const size_t dot = group_resource.find('.');
  if (dot == std::string_view::npos || group_resource.find('.', dot + 1) == std::string_view::npos) return std::nullopt;
  return registry.stored(group_resource.substr(dot + 1), group_resource.substr(0, dot));
}

Status CustomResources::check(const ResourceInfo& resource, const ApiRequest& request) const {
  const Value& definition = store_.find(kinds::kCustomresourcedefinitions, "", resource.group_resource());
  if (request.verb == Verb::kCreate && is_deleting(definition)) {
    return Error(ErrorCode::kMethodNotAllowed,
                 "create not allowed while custom resource definition is terminating");
  }
  return {};
}

uint64_t CustomResources::watch_opened(KindId kind, std::function<void()> end) {
  watches_.emplace(++last_watch_, OpenWatch{kind, std::move(end)});
  return last_watch_;
}

void CustomResources::end_watches(const Served& served) {
  std::vector<uint64_t> ending;
  for (const auto& [number, watch] : watches_) {
    if (watch.kind == served.stored || std::ranges::find(served.versions, watch.kind) != served.versions.end()) {
      ending.push_back(number);
    }
  }
  for (const uint64_t number : ending) {
    const auto found = watches_.find(number);  // whoever hears of one end may close others
    if (found == watches_.end()) continue;
    const auto end = std::move(found->second.end);
    watches_.erase(found);
    end();
  }
}

void CustomResources::schedule() {
  if (scheduled_) return;
  scheduled_ = true;
  executor_.post([this, alive = alive_] {
    if (!*alive) return;
    scheduled_ = false;
    sync();
  });
}

void CustomResources::sync() {
  std::set<std::string> there;
  bool unfinished = false;
  const auto definitions = store_.list(kinds::kCustomresourcedefinitions, "");
  for (const auto& seen : definitions->objects) {
    const std::string name(object_name(seen));
    there.insert(name);
    const auto all = store_.list(kinds::kCustomresourcedefinitions, "")->objects;
    write(judged(seen, all), seen);
    const Value& now = store_.find(kinds::kCustomresourcedefinitions, "", name);
    if (condition_is(now, "Established", "True")) {
      serve(now);
      migrate(now, served_[name]);
    } else {
      withdraw(name);
    }
    if (!is_deleting(now) || !has_finalizer(now, kCustomResourceCleanup)) continue;
    if (!delete_objects(now)) {
      unfinished = true;
      continue;
    }
    const Value done = control::with_condition(now, "Terminating", false, "InstanceDeletionCompleted",
                                               "removed all instances", executor_.wall_now());
    write(without_finalizer(done, kCustomResourceCleanup), now);
    schedule();  // the definition may be gone now
  }
  std::vector<std::string> gone;
  for (const auto& [name, served] : served_) {
    if (!there.contains(name)) gone.push_back(name);
  }
  for (const auto& name : gone) withdraw(name);
  if (unfinished) look_again_.arm(kLookAgain, [this] { sync(); });
}

Value CustomResources::judged(const Value& definition, const std::vector<Value>& all) const {
  const Value& spec = definition[keys::kSpec];
  Taken taken;
  for (const auto& other : all) {
    const bool neighbour = other[keys::kSpec][keys::kGroup] == spec[keys::kGroup] && object_name(other) != object_name(definition);
    if (neighbour) taken.add(other[keys::kStatus].get("acceptedNames"));
  }
  const Names names = accept(spec.get("names"), definition[keys::kStatus].get("acceptedNames"), taken);
  const WallTime now = executor_.wall_now();
  const bool free = names.reason.empty();
  Value next = definition.with(keys::kStatus, definition[keys::kStatus].with("acceptedNames", names.accepted));
  next = control::with_condition(next, "NamesAccepted", free, free ? "NoConflicts" : names.reason,
                                 free ? "no conflicts found" : names.message, now);
  // Once it is established it stays so, whatever becomes of its names.
  if (free) {
    next = control::with_condition(next, "Established", true, "InitialNamesAccepted",
                                   "the initial names have been accepted", now);
  } else if (!condition_is(definition, "Established", "True")) {
    next = control::with_condition(next, "Established", false, "NotAccepted", "not all names are accepted", now);
  }
  if (is_deleting(definition) && has_finalizer(definition, kCustomResourceCleanup)) {
    next = control::with_condition(next, "Terminating", true, "InstanceDeletionInProgress",
                                   "CustomResource deletion is in progress", now);
  }
  return next;
}

void CustomResources::write(const Value& next, const Value& old) {
  if (next == old) return;
  ApiRequest request;
  request.verb = Verb::kUpdate;
  request.kind = kinds::kCustomresourcedefinitions;
  request.name = object_name(old);
  request.subresource = "status";
  request.user = component_user("system:apiserver");
  Writer(server_, request).store_update(next, old);
  server_.schedule_commit();
}

void CustomResources::serve(const Value& definition) {
  const Value& names = definition[keys::kStatus].get("acceptedNames");
  const std::string group = definition[keys::kSpec][keys::kGroup].string(), plural = names.get("plural").string();
  Served& served = served_[std::string(object_name(definition))];
  const auto stored = registry_->stored(group, plural);
  const std::string form = stored_form(definition);
  std::vector<KindId> versions;
  for (const auto& version : definition[keys::kSpec].get("versions").items()) {
    const auto id = registry_->served(group, version[keys::kName].as_string(), plural);
    if (!id || !stored) continue;  // more kinds than there are numbers for
    const Value source = source_of(definition, version);
    const CustomKind* kind = registry_->kept(*id, source);
    if (!kind) kind = &registry_->keep(*id, source, std::make_unique<CustomVersion>(definition, version, CustomKindIds{*id, *stored}));
    store_.alias(*id, *stored);
    if (version[keys::kName].as_string() == form) registry_->define(*stored, kind->stored_resource());
    if (!version.get("served").as_bool()) continue;
    registry_->define(*id, kind->resource());
    versions.push_back(*id);
  }
  if (served.spec.has_value() && !(served.spec == definition[keys::kSpec])) end_watches(served);
  served.spec = definition[keys::kSpec];
  for (const KindId id : served.versions) {
    if (std::ranges::find(versions, id) == versions.end()) registry_->withdraw(id);
  }
  served.versions = std::move(versions);
  if (stored) served.stored = *stored;
}

void CustomResources::migrate(const Value& definition, Served& served) {
  if (served.migrating || !is_to_leave(definition, stored_form(definition))) return;
  const std::string name(object_name(definition)), target(storage_version(definition));
  const Value& spec = definition[keys::kSpec];
  const auto to = registry_->served(spec[keys::kGroup].as_string(), target, spec.get("names").get("plural").as_string());
  const ResourceInfo *from_form = registry_->resource(served.stored), *to_form = to ? registry_->resource(*to) : nullptr;
  if (from_form == nullptr || to_form == nullptr) return;
  served.migrating = true;
  migration_.run(*from_form, *to_form, [this, alive = alive_, name, target](const Status& status) {
    if (*alive) migrated(name, target, status);
  });
}

void CustomResources::migrated(const std::string& name, const std::string& form, const Status& status) {
  const auto found = served_.find(name);
  if (found == served_.end()) return;
  Served& served = found->second;
  served.migrating = false;
  if (!status.ok()) {
    MINIK_LOG(kWarning, "api", cat("the objects of ", name, " stay in the form in which they are: ", status.error().message));
    return look_again_.arm(kMigrateAgain, [this] { sync(); });
  }
  // In one commit with the objects: whoever dies now finds both or neither.
  const Value definition = store_.find(kinds::kCustomresourcedefinitions, "", name);
  write(with_stored_form(definition, form), definition);
  end_watches(served);
  serve(store_.find(kinds::kCustomresourcedefinitions, "", name));
  server_.schedule_commit();
  schedule();  // a definition that names yet another version by now
}

void CustomResources::withdraw(const std::string& name) {
  const auto found = served_.find(name);
  if (found == served_.end()) return;
  const Served served = std::move(found->second);
  served_.erase(found);
  for (const KindId id : served.versions) registry_->withdraw(id);
  if (served.stored.value != 0) registry_->withdraw(served.stored);
  end_watches(served);
}

bool CustomResources::delete_objects(const Value& definition) {
  const auto found = served_.find(std::string(object_name(definition)));
  if (found == served_.end()) return true;
  const KindId kind = found->second.stored;
  size_t deleted = 0;
  const auto objects = store_.list(kind, "");
  for (const auto& object : objects->objects) {
    if (is_deleting(object)) continue;  // whoever holds it will let it go
    if (++deleted > kDeletionsPerTurn) break;
    ApiRequest request;
    request.verb = Verb::kDelete;
    request.kind = kind;
    request.namespace_ = object_namespace(object);
    request.name = object_name(object);
    request.user = component_user("system:apiserver");
    (void)Writer(server_, request).remove().ok();  // one that cannot go yet is tried again
  }
  server_.schedule_commit();
  return store_.count(kind) == 0;
}

}  // namespace minik::control
