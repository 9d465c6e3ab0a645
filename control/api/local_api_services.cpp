#include "control/api/local_api_services.h"

#include <algorithm>
#include <map>

#include "control/base/text.h"
#include "control/base/time.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

Value available(std::string_view status, std::string_view reason, std::string_view message, const Value& since) {
  return Value::map({{keys::kConditions,
                      Value::array({Value::map({{keys::kType, "Available"},
                                                {keys::kStatus, Value(status)},
                                                {keys::kReason, Value(reason)},
                                                {keys::kMessage, Value(message)},
                                                {keys::kLastTransitionTime, since}})})}});
}

Value make(const ResourceInfo& resource, const Value& since) {
  const bool core = resource.group.empty(), custom = resource.custom != nullptr;
  // kube-apiserver's: the core group first, built-in ones before what is defined at run time.
  const int group_priority = core ? 18'000 : custom ? 1'000 : 17'000;
  return Value::map(
      {{keys::kMetadata,
        Value::map({{keys::kName, cat(resource.version, ".", resource.group)},
                    {keys::kCreationTimestamp, since},
                    {keys::kLabels, Value::map({{"kube-aggregator.kubernetes.io/automanaged", custom ? "true" : "onstart"}})}})},
       {keys::kSpec, Value::map({{keys::kGroup, resource.group.empty() ? Value() : Value(resource.group)},
                                 {keys::kVersion, Value(resource.version)},
                                 {"groupPriorityMinimum", group_priority},
                                 {"versionPriority", custom ? 100 : core ? 1 : 15}})},
       {keys::kStatus, available("True", "Local", "Local APIServices are always available", since)}});
}

}  // namespace

std::vector<Value> local_api_services(const Schema& schema, const Value& since) {
  std::map<std::string, Value> by_name;
  for (const auto* resource : schema.served()) {
    std::string name = cat(resource->version, ".", resource->group);
    if (!by_name.contains(name)) by_name.emplace(std::move(name), make(*resource, since));
  }
  std::vector<Value> all;
  for (auto& [name, service] : by_name) all.push_back(std::move(service));
  return all;
}

Value local_api_service(const Schema& schema, std::string_view name, const Value& since) {
  for (const auto& service : local_api_services(schema, since)) {
    if (object_name(service) == name) return service;
  }
  return {};
}

bool is_built_in(const Schema& schema, std::string_view group, std::string_view version) {
  const auto& all = schema.resources();
  return std::any_of(all.begin(), all.end(), [&](const ResourceInfo& resource) {
    return resource.group == group && resource.version == version;
  });
}

bool is_taken_by_local_api(const Schema& schema, std::string_view name) {
  if (name.ends_with(".metrics.k8s.io")) return false;
  const auto served = schema.served();
  return std::any_of(served.begin(), served.end(), [&](const ResourceInfo* resource) {
    return name == cat(resource->version, ".", resource->group);
  });
}

Value with_available(const Value& service, const Availability& wanted, WallTime now) {
  const std::string_view status = wanted.available ? "True" : "False";
  Value since = Value(format_time(now));
  for (const Value& condition : service[keys::kStatus][keys::kConditions].items()) {
    const bool same = condition[keys::kType].as_string() == "Available" && condition[keys::kStatus].as_string() == status;
    if (same) since = condition[keys::kLastTransitionTime];
  }
  return service.with(keys::kStatus, available(status, wanted.reason, wanted.message, since));
}

Value with_first_status(const Value& service, WallTime now) {
  if (service[keys::kSpec].get("service").is_map()) return service.with(keys::kStatus, Value());
  return with_available(service, {true, "Local", "Local APIServices are always available"}, now);
}

}  // namespace minik::control
