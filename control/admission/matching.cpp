#include "control/admission/matching.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/selector.h"
#include "control/schema/kind_registry.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

bool covers(const Value& list, std::string_view text) {
  return std::ranges::any_of(list.items(), [&](const Value& item) {
    return item.as_string() == text || item.as_string() == "*";
  });
}

// "pods", "pods/status", "pods/*", "*/scale", "*", "*/*".
bool matches_resource(const Value& resources, std::string_view plural, std::string_view subresource) {
  return std::ranges::any_of(resources.items(), [&](const Value& item) {
    const std::string_view text = item.as_string();
    const size_t slash = text.find('/');
    const std::string_view first = text.substr(0, slash);
    if (first != "*" && first != plural) return false;
    if (slash == std::string_view::npos) return subresource.empty();
    const std::string_view second = text.substr(slash + 1);
    return second == "*" || second == subresource;
  });
}

bool matches_rule(const Value& rule, const ResourceInfo& resource, const WriteAttributes& request) {
  const std::string_view scope = rule.get("scope").as_string("*");
  // A namespace is not in one, though its requests name it.
  const bool scope_fits = scope == "*" || scope.empty() || scope == (resource.namespaced ? "Namespaced" : "Cluster");
  const Value& names = rule.get("resourceNames");
  return scope_fits && covers(rule.get("operations"), operation_name(request.operation)) &&
         covers(rule.get("apiGroups"), resource.group) && covers(rule.get("apiVersions"), resource.version) &&
         matches_resource(rule.get("resources"), resource.plural, request.subresource) &&
         (names.empty() || std::ranges::any_of(names.items(), [&](const Value& n) { return n.as_string() == request.name; }));
}

bool selects(const Value& selector, const Value& labels) {
  if (selector.empty()) return true;
  const auto compiled = LabelSelector::from_object(selector);
  return compiled && compiled->matches(labels);
}

}  // namespace

const ResourceInfo* matching_kind(const Schema& schema, const Value& rules, std::string_view match_policy,
                                  const WriteAttributes& request) {
  const auto try_as = [&](const ResourceInfo& resource) {
    return std::ranges::any_of(rules.items(), [&](const Value& rule) { return matches_rule(rule, resource, request); });
  };
  if (try_as(*request.resource)) return request.resource;
  if (match_policy == "Exact" || !request.resource->custom) return nullptr;
  for (const auto* other : schema.registry()->served()) {
    if (other->stored_as() == request.resource->stored_as() && try_as(*other)) return other;
  }
  return nullptr;
}

bool selectors_match(const Value& namespace_selector, const Value& object_selector, const WriteAttributes& request,
                     const FindNamespace& find_namespace) {
  if (!namespace_selector.empty()) {
    const bool is_namespace = request.resource->id == kinds::kNamespaces;
    if (is_namespace) {
      const Value& own = request.object.has_value() ? request.object : request.old_object;
      if (!selects(namespace_selector, own[keys::kMetadata][keys::kLabels])) return false;
    } else if (!request.namespace_.empty()) {
      const Value& home = find_namespace(request.namespace_);
      if (!selects(namespace_selector, home[keys::kMetadata][keys::kLabels])) return false;
    }
  }
  return object_selector.empty() ||
         (request.object.has_value() && selects(object_selector, request.object[keys::kMetadata][keys::kLabels])) ||
         (request.old_object.has_value() && selects(object_selector, request.old_object[keys::kMetadata][keys::kLabels]));
}

const ResourceInfo* matching_kind(const Schema& schema, const Value& match_resources, const WriteAttributes& request,
                                  const FindNamespace& find_namespace) {
  if (!selectors_match(match_resources.get("namespaceSelector"), match_resources.get("objectSelector"), request,
                       find_namespace)) {
    return nullptr;
  }
  const std::string_view policy = match_resources.get("matchPolicy").as_string("Equivalent");
  if (matching_kind(schema, match_resources.get("excludeResourceRules"), policy, request)) return nullptr;
  const Value& rules = match_resources.get("resourceRules");
  return rules.empty() ? request.resource : matching_kind(schema, rules, policy, request);
}

bool is_beyond_admission(const ResourceInfo& resource) {
  return resource.group == "admissionregistration.k8s.io" || resource.group == "authentication.k8s.io" ||
         resource.group == "authorization.k8s.io";
}

}  // namespace minik::control
