#include "control/api/remote_discovery.h"

#include <algorithm>
#include <set>
#include <vector>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/version_order.h"

namespace minik::control {

namespace {

Value strings(const Value& list) {
  std::vector<Value> all;
  for (const Value& item : list.items()) {
    if (item.is_string()) all.push_back(item);
  }
  return Value::array(std::move(all));
}

Value text_or(const Value& value, std::string_view otherwise) { return value.is_string() ? value : Value(otherwise); }

Value group_version(const RemoteApi& api) {
  return Value::map({{keys::kGroupVersion, cat(api.group, "/", api.version)}, {keys::kVersion, api.version}});
}

std::set<std::string> groups_of(const RemoteApis& apis) {
  std::set<std::string> groups;
  for (const auto& api : apis) groups.insert(api.group);
  return groups;
}

// The versions of a group with theirs among them, best first; `make` gives what stands for one of theirs.
Value merged_versions(const Value& ours, std::string_view group, const RemoteApis& apis,
                      const std::function<Value(const RemoteApi&)>& make) {
  std::vector<Value> all;
  for (const Value& version : ours.items()) {
    if (!find_remote(apis, group, version[keys::kVersion].as_string())) all.push_back(version);
  }
  for (const auto& api : apis) {
    if (api.group == group) all.push_back(make(api));
  }
  std::stable_sort(all.begin(), all.end(), [](const Value& a, const Value& b) {
    return version_before(a[keys::kVersion].as_string(), b[keys::kVersion].as_string());
  });
  return Value::array(std::move(all));
}

Value response_kind(const Value& resource, const RemoteApi& api) {
  return Value::map({{keys::kGroup, text_or(resource[keys::kGroup], api.group)},
                     {keys::kKind, text_or(resource[keys::kKind], "")},
                     {keys::kVersion, text_or(resource[keys::kVersion], api.version)}});
}

// An APIResourceList, where "fish/status" is a line of its own, as APIVersionDiscovery.
Value discovered(const RemoteApi& api) {
  std::vector<Value> resources;
  const auto listed = api.resources.get("resources").items();
  for (const Value& resource : listed) {
    const std::string name = resource[keys::kName].string();
    if (name.empty() || name.find('/') != std::string::npos) continue;
    std::vector<Value> parts;
    for (const Value& part : listed) {
      const std::string part_name = part[keys::kName].string();
      if (!part_name.starts_with(cat(name, "/"))) continue;
      parts.push_back(Value::map({{"responseKind", response_kind(part, api)},
                                  {"subresource", part_name.substr(name.size() + 1)},
                                  {keys::kVerbs, strings(part[keys::kVerbs])}}));
    }
    const auto some = [](const Value& list) { return list.empty() ? Value() : strings(list); };
    resources.push_back(Value::map({{keys::kCategories, some(resource[keys::kCategories])},
                                    {keys::kResource, name},
                                    {"responseKind", response_kind(resource, api)},
                                    {keys::kScope, resource[keys::kNamespaced].as_bool() ? "Namespaced" : "Cluster"},
                                    {keys::kShortNames, some(resource[keys::kShortNames])},
                                    {"singularResource", text_or(resource[keys::kSingularName], "")},
                                    {"subresources", parts.empty() ? Value() : Value::array(std::move(parts))},
                                    {keys::kVerbs, strings(resource[keys::kVerbs])}}));
  }
  return Value::map({{"freshness", api.fresh ? "Current" : "Stale"},
                     {keys::kResources, Value::array(std::move(resources))},
                     {keys::kVersion, api.version}});
}

Value with_references(const Value& value, std::string_view from, std::string_view to) {
  if (value.is_array()) {
    std::vector<Value> items;
    for (const Value& item : value.items()) items.push_back(with_references(item, from, to));
    return Value::array(std::move(items));
  }
  if (!value.is_map()) return value;
  MapBuilder changed;
  for (const auto& [key, inner] : value.entries()) {
    const auto text = inner.as_string();
    const bool leads = key.text() == "$ref" && text.starts_with(from);
    changed.set(key, leads ? Value(cat(to, text.substr(from.size()))) : with_references(inner, from, to));
  }
  return std::move(changed).build();
}

// What clients look for in paths of the newer form: which kind each operation is about.
Value converted_paths(const RemoteApi& api) {
  MapBuilder paths;
  for (const auto& [path, item] : api.openapi_v2.get("paths").entries()) {
    if (!path.text().starts_with(cat("/apis/", api.group, "/", api.version, "/"))) continue;
    MapBuilder converted;
    for (const auto& [method, operation] : item.entries()) {
      MapBuilder kept;
      for (const auto& [name, value] : operation.entries()) {
        const bool said = name.text().starts_with("x-kubernetes-") || name.text() == "operationId" || name.text() == "description";
        if (said) kept.set(name, value);
      }
      if (operation.is_map()) converted.set(method, std::move(kept.set("responses", Value::empty_map())).build());
    }
    paths.set(path, std::move(converted).build());
  }
  return std::move(paths).build();
}

}  // namespace

const RemoteApi* find_remote(const RemoteApis& apis, std::string_view group, std::string_view version) {
  const auto found = std::find_if(apis.begin(), apis.end(), [&](const RemoteApi& api) {
    return api.group == group && api.version == version;
  });
  return found == apis.end() ? nullptr : &*found;
}

Value with_remote_versions(const Value& group, std::string_view name, const RemoteApis& apis) {
  if (!groups_of(apis).contains(std::string(name))) return group;
  const Value versions = merged_versions(group[keys::kVersions], name, apis, group_version);
  MapBuilder merged(group.is_map() ? group
                                   : Value::map({{keys::kApiVersion, "v1"}, {keys::kKind, "APIGroup"}, {keys::kName, name}}));
  merged.set(keys::kPreferredVersion, versions.items().front());
  merged.set(keys::kVersions, versions);
  return std::move(merged).build();
}

Value with_remote_groups(const Value& group_list, const RemoteApis& apis) {
  std::set<std::string> left = groups_of(apis);
  std::vector<Value> groups;
  for (const Value& group : group_list[keys::kGroups].items()) {
    const std::string name = group[keys::kName].string();
    groups.push_back(with_remote_versions(group, name, apis));
    left.erase(name);
  }
  for (const auto& name : left) {
    const Value added = with_remote_versions(Value(), name, apis);
    groups.push_back(added.with(keys::kApiVersion, Value()).with(keys::kKind, Value()));
  }
  return group_list.with(keys::kGroups, Value::array(std::move(groups)));
}

Value with_remote_discovery(const Value& discovery, const RemoteApis& apis) {
  std::set<std::string> left = groups_of(apis);
  std::vector<Value> groups;
  const auto merged = [&](const Value& group, std::string_view name) {
    return group.with(keys::kVersions, merged_versions(group[keys::kVersions], name, apis, discovered));
  };
  for (const Value& group : discovery[keys::kItems].items()) {
    const std::string name = group[keys::kMetadata][keys::kName].string();
    groups.push_back(left.erase(name) > 0 ? merged(group, name) : group);
  }
  for (const auto& name : left) {
    groups.push_back(merged(Value::map({{keys::kMetadata, Value::map({{keys::kName, name}})}}), name));
  }
  return discovery.with(keys::kItems, Value::array(std::move(groups)));
}

Value with_remote_openapi_v2(const Value& document, const RemoteApis& apis) {
  MapBuilder whole(document);
  for (const char* part : {"paths", "definitions"}) {
    MapBuilder merged(document.get(part));
    for (const auto& api : apis) {
      for (const auto& [name, value] : api.openapi_v2.get(part).entries()) {
        // Ours are first: every server has its own copy of ObjectMeta.
        if (value.is_map() && merged.get(name).is_absent()) merged.set(name, value);
      }
    }
    whole.set(part, std::move(merged).build());
  }
  return std::move(whole).build();
}

Value with_remote_openapi_v3(const Value& index, const RemoteApis& apis,
                             const std::function<std::string(const std::string& path)>& hash_of) {
  MapBuilder paths(index.get("paths"));
  for (const auto& api : apis) {
    if (remote_openapi_v3(api).is_absent()) continue;
    const std::string path = cat("apis/", api.group, "/", api.version);
    paths.set(Key(path), Value::map({{"serverRelativeURL", cat("/openapi/v3/", path, "?hash=", hash_of(path))}}));
  }
  return index.with("paths", std::move(paths).build());
}

Value remote_openapi_v3(const RemoteApi& api) {
  if (api.openapi_v3.is_map()) return api.openapi_v3;
  if (!api.openapi_v2.get("definitions").is_map()) return {};
  const Value schemas = with_references(api.openapi_v2.get("definitions"), "#/definitions/", "#/components/schemas/");
  return Value::map({{"openapi", "3.0.0"},
                     {"info", Value::map({{"title", cat(api.group, "/", api.version)}, {"version", "v1"}})},
                     {"paths", converted_paths(api)},
                     {"components", Value::map({{"schemas", schemas}})}});
}

}  // namespace minik::control
