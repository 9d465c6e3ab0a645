#include "control/schema/discovery.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/version_order.h"

namespace minik::control {

namespace {

constexpr std::string_view kPreference[] = {"",
                                            "apiregistration.k8s.io",
                                            "apps",
                                            "events.k8s.io",
                                            "authentication.k8s.io",
                                            "authorization.k8s.io",
                                            "autoscaling",
                                            "batch",
                                            "certificates.k8s.io",
                                            "networking.k8s.io",
                                            "policy",
                                            "rbac.authorization.k8s.io",
                                            "storage.k8s.io",
                                            "admissionregistration.k8s.io",
                                            "apiextensions.k8s.io",
                                            "scheduling.k8s.io",
                                            "coordination.k8s.io",
                                            "node.k8s.io",
                                            "discovery.k8s.io",
                                            "flowcontrol.apiserver.k8s.io"};

size_t rank(std::string_view group) {
  return static_cast<size_t>(std::ranges::find(kPreference, group) - std::begin(kPreference));
}

Value words(std::string_view text) {
  if (text.empty()) return {};
  std::vector<Value> list;
  for (const auto word : split(text, ' ')) list.emplace_back(word);
  return Value::array(std::move(list));
}

// A connection is made by GET or POST; what proxies pass on may be any method.
Value listed_verbs(std::string_view verbs, std::string_view kind) {
  if (verbs != "connect") return words(verbs);
  return words(kind.ends_with("ProxyOptions") ? "create delete get patch update" : "create get");
}

Value group_version(std::string_view group, std::string_view version) {
  const std::string name = group.empty() ? std::string(version) : cat(group, "/", version);
  return Value::map({{keys::kGroupVersion, name}, {keys::kVersion, Value(version)}});
}

Value group_document(EnabledResources enabled, std::string_view group) {
  std::vector<Value> versions;
  for (const auto version : versions_of(enabled, group)) {
    versions.push_back(group_version(group, version));
  }
  const Value preferred = versions.front();
  return Value::map({{keys::kName, Value(group)},
                     {keys::kPreferredVersion, preferred},
                     {keys::kVersions, Value::array(std::move(versions))}});
}

std::vector<const ResourceInfo*> resources_of(EnabledResources enabled, std::string_view group,
                                              std::string_view version) {
  std::vector<const ResourceInfo*> found;
  for (const auto* resource : enabled) {
    if (resource->group == group && resource->version == version) found.push_back(resource);
  }
  std::ranges::sort(found, {}, &ResourceInfo::plural);
  return found;
}

Value subresource_entry(const ResourceInfo& resource, const SubresourceInfo& sub) {
  const bool foreign = sub.group != resource.group || sub.version != resource.version;
  return Value::map({{keys::kKind, Value(sub.kind)},
                     {keys::kName, cat(resource.plural, "/", sub.name)},
                     {keys::kNamespaced, resource.namespaced},
                     {keys::kSingularName, ""},
                     {keys::kGroup, foreign ? Value(sub.group) : Value()},
                     {keys::kVersion, foreign ? Value(sub.version) : Value()},
                     {keys::kVerbs, listed_verbs(sub.verbs, sub.kind)}});
}

// ---- aggregated ----

Value response_kind(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::map(
      {{keys::kGroup, Value(group)}, {keys::kKind, Value(kind)}, {keys::kVersion, Value(version)}});
}

Value aggregated_resource(const ResourceInfo& resource) {
  std::vector<Value> subresources;
  for (const auto& sub : resource.subresources) {
    subresources.push_back(
        Value::map({{"responseKind", response_kind(sub.group, sub.version, sub.kind)},
                    {"subresource", Value(sub.name)},
                    {keys::kVerbs, listed_verbs(sub.verbs, sub.kind)}}));
  }
  return Value::map(
      {{keys::kCategories, words(resource.categories)},
       {keys::kResource, Value(resource.plural)},
       {"responseKind", response_kind(resource.group, resource.version, resource.kind)},
       {keys::kScope, resource.namespaced ? "Namespaced" : "Cluster"},
       {keys::kShortNames, words(resource.short_names)},
       {"singularResource", Value(resource.singular)},
       {"subresources", subresources.empty() ? Value() : Value::array(std::move(subresources))},
       {keys::kVerbs, words(resource.verbs)}});
}

Value aggregated_group(EnabledResources enabled, std::string_view group) {
  std::vector<Value> versions;
  for (const auto version : versions_of(enabled, group)) {
    std::vector<Value> resources;
    for (const auto* resource : resources_of(enabled, group, version)) {
      resources.push_back(aggregated_resource(*resource));
    }
    versions.push_back(Value::map({{"freshness", "Current"},
                                   {keys::kResources, Value::array(std::move(resources))},
                                   {keys::kVersion, Value(version)}}));
  }
  return Value::map({{keys::kMetadata, group.empty() ? Value::empty_map()
                                                     : Value::map({{keys::kName, Value(group)}})},
                     {keys::kVersions, Value::array(std::move(versions))}});
}

}  // namespace

std::vector<std::string_view> groups_by_preference(EnabledResources enabled) {
  std::vector<std::string_view> groups;
  for (const auto* resource : enabled) {
    if (std::ranges::find(groups, resource->group) == groups.end()) {
      groups.push_back(resource->group);
    }
  }
  std::ranges::sort(groups, [](std::string_view a, std::string_view b) {
    return std::pair(rank(a), a) < std::pair(rank(b), b);
  });
  return groups;
}

std::vector<std::string_view> versions_of(EnabledResources enabled, std::string_view group) {
  std::vector<std::string_view> versions;
  for (const auto* resource : enabled) {
    if (resource->group == group &&
        std::ranges::find(versions, resource->version) == versions.end()) {
      versions.push_back(resource->version);
    }
  }
  std::ranges::sort(versions, version_before);
  return versions;
}

Value discover_core_versions(std::string_view server_address) {
  const Value address =
      Value::map({{keys::kClientCIDR, "0.0.0.0/0"}, {keys::kServerAddress, Value(server_address)}});
  return Value::map({{keys::kKind, "APIVersions"},
                     {keys::kServerAddressByClientCIDRs, Value::array({address})},
                     {keys::kVersions, Value::array({"v1"})}});
}

Value discover_groups(EnabledResources enabled) {
  std::vector<Value> groups;
  for (const auto group : groups_by_preference(enabled)) {
    if (!group.empty()) groups.push_back(group_document(enabled, group));
  }
  return Value::map({{keys::kApiVersion, "v1"},
                     {keys::kGroups, Value::array(std::move(groups))},
                     {keys::kKind, "APIGroupList"}});
}

Value discover_group(EnabledResources enabled, std::string_view group) {
  if (versions_of(enabled, group).empty()) return {};
  return group_document(enabled, group).with(keys::kApiVersion, "v1").with(keys::kKind, "APIGroup");
}

Value discover_resources(EnabledResources enabled, std::string_view group,
                         std::string_view version) {
  std::vector<Value> list;
  for (const auto* resource : resources_of(enabled, group, version)) {
    list.push_back(Value::map({{keys::kCategories, words(resource->categories)},
                               {keys::kKind, Value(resource->kind)},
                               {keys::kName, Value(resource->plural)},
                               {keys::kNamespaced, resource->namespaced},
                               {keys::kShortNames, words(resource->short_names)},
                               {keys::kSingularName, Value(resource->singular)},
                               {keys::kVerbs, words(resource->verbs)}}));
    for (const auto& sub : resource->subresources) {
      list.push_back(subresource_entry(*resource, sub));
    }
  }
  if (list.empty()) return {};
  return Value::map({{keys::kApiVersion, "v1"},
                     {keys::kGroupVersion, group_version(group, version)[keys::kGroupVersion]},
                     {keys::kKind, "APIResourceList"},
                     {keys::kResources, Value::array(std::move(list))}});
}

Value discover_all(EnabledResources enabled, DiscoveryPart part) {
  std::vector<Value> items;
  for (const auto group : groups_by_preference(enabled)) {
    if (group.empty() == (part == DiscoveryPart::kCore)) {
      items.push_back(aggregated_group(enabled, group));
    }
  }
  return Value::map({{keys::kApiVersion, "apidiscovery.k8s.io/v2"},
                     {keys::kItems, Value::array(std::move(items))},
                     {keys::kKind, "APIGroupDiscoveryList"},
                     {keys::kMetadata, Value::empty_map()}});
}

}  // namespace minik::control
