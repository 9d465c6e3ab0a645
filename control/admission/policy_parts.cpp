#include "control/admission/policy_parts.h"

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/selector.h"
#include "control/schema/kinds.h"

namespace minik::control {

std::vector<BoundPolicy> bound_policies(const Store& store, const Schema& schema, KindId policies, KindId bindings,
                                        const WriteAttributes& request) {
  std::vector<BoundPolicy> found;
  if (store.count(policies) == 0 || store.count(bindings) == 0 || is_beyond_admission(*request.resource)) return found;
  const FindNamespace find_namespace = [&store](std::string_view name) -> const Value& {
    return store.find(kinds::kNamespaces, "", name);
  };
  const auto all_policies = store.list(policies, ""), all_bindings = store.list(bindings, "");
  for (const auto& policy : all_policies->objects) {
    const ResourceInfo* as = matching_kind(schema, policy[keys::kSpec].get("matchConstraints"), request, find_namespace);
    if (!as) continue;
    for (const auto& binding : all_bindings->objects) {
      const Value& spec = binding[keys::kSpec];
      if (spec.get("policyName").as_string() != object_name(policy)) continue;
      const Value& narrowed = spec.get("matchResources");
      if (narrowed.is_map() && !matching_kind(schema, narrowed, request, find_namespace)) continue;
      found.push_back({policy, binding, as});
    }
  }
  return found;
}

Result<std::vector<Value>> params_of(const Store& store, const Schema& schema, const BoundPolicy& bound,
                                     const WriteAttributes& request) {
  const Value& kind = bound.policy[keys::kSpec].get("paramKind");
  const Value& reference = bound.binding[keys::kSpec].get("paramRef");
  if (!kind.is_map() || !reference.is_map()) return std::vector<Value>{Value()};
  const auto* resource = schema.find_kind(kind[keys::kApiVersion].as_string(), kind[keys::kKind].as_string());
  if (!resource) {
    return Error(ErrorCode::kNotFound,
                 cat("failed to find resource referenced by paramKind: '", kind[keys::kApiVersion].as_string(), ", Kind=",
                     kind[keys::kKind].as_string(), "'"));
  }
  std::string home = reference[keys::kNamespace].string();
  if (home.empty() && resource->namespaced) home = request.namespace_;
  if (resource->namespaced && home.empty()) {
    return Error(ErrorCode::kInternalError, "cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  }
  std::vector<Value> found;
  const std::string_view name = reference[keys::kName].as_string();
  if (!name.empty()) {
    const Value& one = store.find(resource->id, resource->namespaced ? home : "", name);
    if (one.has_value()) found.push_back(named_object(*resource, one));
  } else {
    MINIK_ASSIGN(const auto selector, LabelSelector::from_object(reference.get("selector")));
    const auto all = store.list(resource->id, resource->namespaced ? home : "");
    for (const auto& one : all->objects) {
      if (selector.matches(one[keys::kMetadata][keys::kLabels])) found.push_back(named_object(*resource, one));
    }
  }
  if (found.empty() && reference.get("parameterNotFoundAction").as_string() != "Allow") {
    return Error(ErrorCode::kInternalError, "no params found for policy binding with `Deny` parameterNotFoundAction");
  }
  return found;
}

Unconfigured unconfigured(const BoundPolicy& bound, const Error& error) {
  if (error.code == ErrorCode::kNotFound) return {Value(), cat("failed to configure policy: ", error.message)};
  return {bound.binding, cat("failed to configure binding: ", error.message)};
}

Value namespace_of(const Store& store, const Schema& schema, const WriteAttributes& request) {
  const bool in_one = !request.namespace_.empty() && request.resource->id != kinds::kNamespaces;
  const Value& home = in_one ? store.find(kinds::kNamespaces, "", request.namespace_) : Value::absent();
  return named_object(schema.resource(kinds::kNamespaces), home);
}

std::vector<PolicyVariable> compile_variables(const Value& variables, const cel::Environment& environment) {
  std::vector<PolicyVariable> compiled;
  for (const auto& variable : variables.items()) {
    compiled.push_back({variable[keys::kName].string(),
                        cel::Program::compile(variable.get("expression").as_string(), environment)});
  }
  return compiled;
}

CompiledPolicy compile_policy(const Value& spec, const cel::Environment& environment) {
  return {spec, compile_conditions(spec.get("matchConditions")), compile_variables(spec.get("variables"), environment)};
}

void bind_variables(const std::vector<PolicyVariable>& variables, AdmissionBindings& bindings, cel::Budget& budget) {
  std::vector<cel::Datum::Entry> bound;
  bindings.set_variables(bound);
  for (const auto& variable : variables) {
    auto value = variable.program ? variable.program->evaluate(bindings.values(), budget)
                                  : Result<cel::Datum>(variable.program.error());
    bound.push_back({cel::Datum::text(variable.name),
                     value ? *std::move(value) : cel::Datum::error(value.error().message)});
    bindings.set_variables(bound);
  }
}

}  // namespace minik::control
