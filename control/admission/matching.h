// Which requests a webhook or policy wants to see: rules of groups, versions, resources and operations,
// selectors of the namespace and of the object, and whether another version of the same resource will do.
//
// Rules are plain documents (RuleWithOperations, NamedRuleWithOperations, MatchResources). Pure.
#pragma once

#include <functional>

#include "control/admission/attributes.h"

namespace minik::control {

// The namespace of this name; absent when there is none.
using FindNamespace = std::function<const Value&(std::string_view name)>;

// The kind as which the request matches a rule of the list: its own, or with matchPolicy Equivalent another
// version of a custom resource; null for no match.
const ResourceInfo* matching_kind(const Schema& schema, const Value& rules, std::string_view match_policy,
                                  const WriteAttributes& request);

// Absent and empty selectors select everything.
bool selectors_match(const Value& namespace_selector, const Value& object_selector, const WriteAttributes& request,
                     const FindNamespace& find_namespace);

// A MatchResources as a whole; null for no match. Without rules, as in bindings, every kind matches.
const ResourceInfo* matching_kind(const Schema& schema, const Value& match_resources, const WriteAttributes& request,
                                  const FindNamespace& find_namespace);

// What webhooks and policies never see: themselves, lest a bad one could not be mended, and questions.
bool is_beyond_admission(const ResourceInfo& resource);

}  // namespace minik::control
