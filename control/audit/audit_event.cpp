#include "control/audit/audit_event.h"

#include "control/object/keys.h"

namespace minik::control {

namespace {

Value text(const std::string& value) { return value.empty() ? Value() : Value(value); }

Value texts(const std::vector<std::string>& list) {
  return list.empty() ? Value() : Value::array(std::vector<Value>(list.begin(), list.end()));
}

Value user(const UserInfo& who) {
  MapBuilder extra;
  for (const auto& [name, values] : who.extra) extra.set(Key(name), texts(values));
  return Value::map({{keys::kUsername, text(who.name)},
                     {keys::kUid, text(who.uid)},
                     {keys::kGroups, texts(who.groups)},
                     {keys::kExtra, extra.empty() ? Value() : std::move(extra).build()}});
}

Value object_ref(const AuditedRequest& request) {
  if (request.resource.empty()) return {};
  return Value::map({{keys::kResource, request.resource},
                     {keys::kNamespace, text(request.namespace_)},
                     {keys::kName, text(request.name)},
                     {keys::kUid, text(request.uid)},
                     {keys::kApiGroup, text(request.group)},
                     {keys::kApiVersion, text(request.version)},
                     {keys::kResourceVersion, text(request.resource_version)},
                     {keys::kSubresource, text(request.subresource)}});
}

// An object or a list of them, without the account of who manages what where the policy leaves it out.
Value shown(const Value& object, bool omit_managed_fields) {
  if (!omit_managed_fields || !object.is_map()) return object;
  const auto bare = [](const Value& one) {
    const Value& metadata = one[keys::kMetadata];
    return metadata[keys::kManagedFields].is_absent() ? one
                                                      : one.with(keys::kMetadata, metadata.without(keys::kManagedFields));
  };
  Value result = bare(object);
  if (!object[keys::kItems].is_array()) return result;
  std::vector<Value> items;
  for (const auto& item : object[keys::kItems].items()) items.push_back(bare(item));
  return result.with(keys::kItems, Value::array(std::move(items)));
}

Value response_status(const AuditRecord& record) {
  if (record.code == 0) return {};
  const Value base = record.status.is_map() ? record.status.without(keys::kKind).without(keys::kApiVersion) : Value::empty_map();
  return base.with(keys::kMetadata, Value::empty_map()).with(keys::kCode, record.code);
}

}  // namespace

Value audit_event(const AuditRecord& record) {
  const AuditedRequest& request = *record.request;
  const AuditChoice& choice = request.choice;
  MapBuilder annotations;
  for (const auto& [key, value] : record.annotations) annotations.set(Key(key), value);
  return Value::map({{keys::kKind, "Event"},
                     {keys::kApiVersion, "audit.k8s.io/v1"},
                     {"level", audit_level_name(choice.level)},
                     {"auditID", request.id},
                     {"stage", audit_stage_name(record.stage)},
                     {"requestURI", request.uri},
                     {"verb", request.verb},
                     {keys::kUser, user(request.user)},
                     {"impersonatedUser", request.impersonated.name.empty() ? Value() : user(request.impersonated)},
                     {"sourceIPs", texts(request.source_ips)},
                     {"userAgent", text(request.user_agent)},
                     {"objectRef", object_ref(request)},
                     {"responseStatus", response_status(record)},
                     {"requestObject", shown(request.object, choice.omit_managed_fields)},
                     {"responseObject", shown(record.object, choice.omit_managed_fields)},
                     {"requestReceivedTimestamp", format_micro_time(request.received)},
                     {"stageTimestamp", format_micro_time(record.at)},
                     {keys::kAnnotations, annotations.empty() ? Value() : std::move(annotations).build()}});
}

}  // namespace minik::control
