#include "control/admission/attributes.h"

#include "control/object/keys.h"

namespace minik::control {

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::kCreate: return "CREATE";
    case Operation::kUpdate: return "UPDATE";
    case Operation::kDelete: return "DELETE";
    case Operation::kConnect: return "CONNECT";
  }
  return "";
}

Value named_object(const ResourceInfo& as, const Value& object) {
  if (!object.has_value()) return nullptr;
  if (object[keys::kKind].has_value()) return object;  // a Scale, an Eviction
  return object.with(keys::kApiVersion, as.api_version).with(keys::kKind, as.kind);
}

Value user_document(const UserInfo& user) {
  const auto list = [](const std::vector<std::string>& texts) {
    return Value::array(std::vector<Value>(texts.begin(), texts.end()));
  };
  MapBuilder extra;
  for (const auto& [name, values] : user.extra) extra.set(Key(name), list(values));
  return Value::map({{keys::kUsername, user.name},
                     {keys::kUid, user.uid.empty() ? Value() : Value(user.uid)},
                     {keys::kGroups, user.groups.empty() ? Value() : list(user.groups)},
                     {keys::kExtra, extra.empty() ? Value() : std::move(extra).build()}});
}

namespace {

std::string_view validation_name(FieldValidation validation) {
  switch (validation) {
    case FieldValidation::kIgnore: return "Ignore";
    case FieldValidation::kWarn: return "Warn";
    case FieldValidation::kStrict: return "Strict";
  }
  return "";
}

std::string_view propagation_name(PropagationPolicy policy) {
  switch (policy) {
    case PropagationPolicy::kUnset: return "";
    case PropagationPolicy::kOrphan: return "Orphan";
    case PropagationPolicy::kBackground: return "Background";
    case PropagationPolicy::kForeground: return "Foreground";
  }
  return "";
}

Value said(std::string_view text) { return text.empty() ? Value() : Value(text); }

}  // namespace

Value options_document(Operation operation, const ApiRequest& request) {
  const RequestOptions& options = request.options;
  MapBuilder document;
  document.set(keys::kApiVersion, "meta.k8s.io/v1");
  if (options.dry_run) document.set("dryRun", Value::array({"All"}));
  switch (operation) {
    case Operation::kConnect: return {};
    case Operation::kDelete:
      document.set(keys::kKind, "DeleteOptions");
      if (options.grace_period_seconds) document.set(keys::kGracePeriodSeconds, *options.grace_period_seconds);
      document.set("propagationPolicy", said(propagation_name(options.propagation)));
      if (!options.preconditions.uid.empty() || !options.preconditions.resource_version.empty()) {
        document.set("preconditions", Value::map({{keys::kUid, said(options.preconditions.uid)},
                                                  {keys::kResourceVersion, said(options.preconditions.resource_version)}}));
      }
      return std::move(document).build();
    case Operation::kCreate: document.set(keys::kKind, "CreateOptions"); break;
    case Operation::kUpdate: document.set(keys::kKind, request.verb == Verb::kPatch ? "PatchOptions" : "UpdateOptions"); break;
  }
  document.set("fieldManager", said(options.field_manager));
  document.set("fieldValidation", validation_name(options.field_validation));
  if (options.force) document.set("force", true);
  return std::move(document).build();
}

}  // namespace minik::control
