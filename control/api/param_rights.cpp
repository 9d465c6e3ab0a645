#include "control/api/param_rights.h"

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/field_error.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// What is to be read of the kind: all of its group, where there is no such kind (yet).
Attributes reading(const Schema& schema, const Value& kind, std::string_view namespace_, std::string_view name) {
  const std::string_view version = kind[keys::kApiVersion].as_string();
  const size_t slash = version.find('/');
  const std::string_view group = !kind.is_map() ? "*" : slash == std::string_view::npos ? "" : version.substr(0, slash);
  const auto* known = schema.find_kind(version, kind[keys::kKind].as_string());
  return {"get", group, known ? known->plural : "*", "", namespace_, name};
}

std::string_view or_all(std::string_view text) { return text.empty() ? "*" : text; }

}  // namespace

Status check_param_rights(const Store& store, const Schema& schema, const Authorizer& access, const UserInfo& user,
                          const ResourceInfo& resource, const Value& object, const Value& old) {
  const bool validates = resource.id == kinds::kValidatingadmissionpolicies || resource.id == kinds::kValidatingadmissionpolicybindings;
  const bool is_policy = resource.id == kinds::kValidatingadmissionpolicies || resource.id == kinds::kMutatingadmissionpolicies;
  const bool is_binding = resource.id == kinds::kValidatingadmissionpolicybindings || resource.id == kinds::kMutatingadmissionpolicybindings;
  if (!is_policy && !is_binding) return {};
  const Value& spec = object[keys::kSpec];
  FieldErrors errors;
  const FieldPath at("spec");
  if (is_policy) {
    const Value& kind = spec.get("paramKind");
    if (!kind.is_map() || old[keys::kSpec].get("paramKind") == kind || access.allows(user, reading(schema, kind, "*", "*"))) return {};
    const FieldPath here = at.field("paramKind");
    errors.forbidden(here, cat("user ", user.name, " must have \"get\" permission on all objects of the referenced paramKind (kind=",
                               kind[keys::kKind].as_string(), ", apiVersion=", kind[keys::kApiVersion].as_string(), ")"));
  } else {
    const Value& reference = spec.get("paramRef");
    const bool same = old[keys::kSpec].get("paramRef") == reference && old[keys::kSpec].get("policyName") == spec.get("policyName");
    if (!reference.is_map() || same) return {};
    const KindId policies = validates ? kinds::kValidatingadmissionpolicies : kinds::kMutatingadmissionpolicies;
    const Value& kind = store.find(policies, "", spec.get("policyName").as_string())[keys::kSpec].get("paramKind");
    const std::string_view home = or_all(reference[keys::kNamespace].as_string()), name = or_all(reference[keys::kName].as_string());
    if (access.allows(user, reading(schema, kind, home, name))) return {};
    const FieldPath here = at.field("paramRef");
    errors.forbidden(here, cat("user ", user.name, " must have \"get\" permission on the objects of the referenced paramRef (namespace=",
                               home, ", name=", name, ")"));
  }
  return errors.to_error(resource, object_name(object));
}

}  // namespace minik::control
