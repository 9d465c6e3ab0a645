#include "control/schema/openapi.h"

#include <algorithm>
#include <map>
#include <set>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/custom_kind.h"

namespace minik::control {

namespace {

using Dialect = OpenApiDialect;

constexpr std::string_view kVersion = "v1.35.0";
constexpr std::string_view kQuantity = "io.k8s.apimachinery.pkg.api.resource.Quantity";
constexpr std::string_view kIntOrString = "io.k8s.apimachinery.pkg.util.intstr.IntOrString";
constexpr std::string_view kTime = "io.k8s.apimachinery.pkg.apis.meta.v1.Time";
constexpr std::string_view kMicroTime = "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime";
constexpr std::string_view kListMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";

std::string definition_name(const TypeInfo& type) {
  return cat(type.openapi, ".", type.name);
}

std::string_view prefix(Dialect dialect) {
  return dialect == Dialect::kV3 ? "#/components/schemas/" : "#/definitions/";
}

Value kind_marker(std::string_view group, std::string_view version, std::string_view kind) {
  return Value::map(
      {{keys::kGroup, Value(group)}, {keys::kKind, Value(kind)}, {keys::kVersion, Value(version)}});
}

std::pair<std::string_view, std::string_view> split_api_version(std::string_view api_version) {
  const auto slash = api_version.find('/');
  if (slash == std::string_view::npos) return {"", api_version};
  return {api_version.substr(0, slash), api_version.substr(slash + 1)};
}

// What every kind has and means the same by.
std::string_view common_text(std::string_view field) {
  if (field == "apiVersion") return "The version of the schema of this object.";
  if (field == "kind") return "What this object is.";
  if (field == "metadata") return "Name, labels, owners and life of the object.";
  if (field == "spec") return "What is wanted.";
  if (field == "status") return "What is, as the cluster last saw it.";
  return {};
}

// Collects the schemas that are referred to, each once, from the kinds downwards.
class Definitions {
 public:
  explicit Definitions(Dialect dialect) : dialect_(dialect) {}

  void add_kind(const ResourceInfo& resource) {
    if (resource.type == nullptr) return;
    if (resource.custom) {
      schemas_[definition_name(*resource.type)] = resource.custom->openapi(dialect_, prefix(dialect_));
      if (const auto* meta = Schema::builtin().find_type("meta", "ObjectMeta")) add(*meta);
    } else {
      add(*resource.type);
    }
    if (!resource.has_verb("list")) return;
    const std::string name = cat(definition_name(*resource.type), "List");
    const auto text = [](std::string_view field) {
      return Value::map({{keys::kDescription, Value(common_text(field))}, {keys::kType, "string"}});
    };
    const Value items = Value::map({{keys::kDescription, "The objects."},
                                    {keys::kItems, reference(definition_name(*resource.type))},
                                    {keys::kType, "array"}});
    const Value metadata =
        reference(kListMeta).with(keys::kDescription, "The version that the list shows, and how to get the rest of it.");
    schemas_[name] =
        Value::map({{keys::kDescription, cat("Objects of the kind ", resource.kind, ".")},
                    {keys::kType, "object"},
                    {keys::kRequired, Value::array({"items"})},
                    {keys::kProperties, Value::map({{keys::kApiVersion, text("apiVersion")},
                                                    {keys::kItems, items},
                                                    {keys::kKind, text("kind")},
                                                    {keys::kMetadata, metadata}})},
                    {"x-kubernetes-group-version-kind",
                     Value::array({kind_marker(resource.group, resource.version,
                                               cat(resource.kind, "List"))})}});
    if (const auto* meta = Schema::builtin().find_type("meta", "ListMeta")) add(*meta);
  }

  void add(const TypeInfo& type) {
    if (!seen_.insert(&type).second) return;
    MapBuilder properties;
    std::vector<Value> required;
    for (const auto& field : type.fields) {
      properties.set(field.key, property(field));
      if (field.required) required.emplace_back(field.name);
      if (field.type) add(*field.type);
    }
    MapBuilder schema;
    schema.set(keys::kType, "object");
    if (!type.text.empty()) schema.set(keys::kDescription, Value(type.text));
    if (!properties.empty()) schema.set(keys::kProperties, std::move(properties).build());
    if (!required.empty()) schema.set(keys::kRequired, Value::array(std::move(required)));
    if (type.atomic) schema.set("x-kubernetes-map-type", "atomic");
    if (!type.api_version.empty()) {
      const auto [group, version] = split_api_version(type.api_version);
      schema.set("x-kubernetes-group-version-kind",
                 Value::array({kind_marker(group, version, type.name)}));
    }
    schemas_[definition_name(type)] = std::move(schema).build();
  }

  Value build() && {
    MapBuilder all;
    for (auto& [name, schema] : schemas_) all.set(name, std::move(schema));
    return std::move(all).build();
  }

 private:
  Value reference(std::string_view name) const {
    const Value target = Value::map({{"$ref", cat(prefix(dialect_), name)}});
    if (dialect_ == Dialect::kV2) return target;
    // A reference may have no neighbours in version 3, so it stands in a list of one.
    return Value::map({{keys::kAllOf, Value::array({target})}});
  }

  Value shared_scalar(std::string_view name) {
    if (!schemas_.contains(std::string(name))) {
      const auto either = [](std::string_view other) {
        return Value::array(
            {Value::map({{keys::kType, "string"}}), Value::map({{keys::kType, Value(other)}})});
      };
      MapBuilder schema;
      schema.set(keys::kDescription, Value(name == kQuantity      ? "A number with a suffix for its size: 100m, 1.5, 2Gi."
                                           : name == kIntOrString ? "A number or a text, as 8080, http or 25%."
                                                                  : "A moment, as RFC 3339 writes it: 2026-01-31T12:00:00Z."));
      if (name == kTime || name == kMicroTime) {
        schema.set(keys::kType, "string").set(keys::kFormat, "date-time");
      } else if (dialect_ == Dialect::kV2) {
        schema.set(keys::kType, "string");
        if (name == kIntOrString) schema.set(keys::kFormat, "int-or-string");
      } else if (name == kIntOrString) {
        schema.set(keys::kFormat, "int-or-string").set(keys::kOneOf, either("integer"));
      } else {
        schema.set(keys::kOneOf, either("number"));
      }
      schemas_[std::string(name)] = std::move(schema).build();
    }
    return reference(name);
  }

  Value element(const FieldInfo& field) {
    const auto plain = [](std::string_view type, std::string_view format = {}) {
      return Value::map(
          {{keys::kType, Value(type)}, {keys::kFormat, format.empty() ? Value() : Value(format)}});
    };
    switch (field.base) {
      case BaseType::kString:
        return plain("string");
      case BaseType::kInt32:
        return plain("integer", "int32");
      case BaseType::kInt64:
        return plain("integer", "int64");
      case BaseType::kBool:
        return plain("boolean");
      case BaseType::kDouble:
        return plain("number", "double");
      case BaseType::kBytes:
        return plain("string", "byte");
      case BaseType::kAny:  // a default of a schema may be a number: clients that validate by this must let it be
        return Value::empty_map();
      case BaseType::kQuantity:
        return shared_scalar(kQuantity);
      case BaseType::kIntOrString:
        return shared_scalar(kIntOrString);
      case BaseType::kTime:
        return shared_scalar(kTime);
      case BaseType::kMicroTime:
        return shared_scalar(kMicroTime);
      case BaseType::kObject:
        break;
    }
    return reference(definition_name(*field.type));
  }

  static void mark_list(const FieldInfo& field, MapBuilder& out) {
    if (field.patch_merge || field.patch_retain_keys) {
      const bool both = field.patch_merge && field.patch_retain_keys;
      out.set("x-kubernetes-patch-strategy", both                ? "merge,retainKeys"
                                             : field.patch_merge ? "merge"
                                                                 : "retainKeys");
    }
    if (!field.merge_key.empty()) out.set("x-kubernetes-patch-merge-key", Value(field.merge_key));
    if (field.atomic_map) out.set("x-kubernetes-map-type", "atomic");
    if (field.list_type == ListType::kNone) return;
    static constexpr std::string_view kNames[] = {"", "atomic", "set", "map"};
    out.set("x-kubernetes-list-type", Value(kNames[static_cast<size_t>(field.list_type)]));
    if (field.list_type != ListType::kMap) return;
    std::vector<Value> keys;
    for (const auto key : field.list_keys) {
      if (!key.empty()) keys.emplace_back(key);
    }
    out.set("x-kubernetes-list-map-keys", Value::array(std::move(keys)));
  }

  Value property(const FieldInfo& field) {
    Value inner = element(field);
    if (field.shape == Shape::kMapOfLists) {
      inner = Value::map({{keys::kItems, inner}, {keys::kType, "array"}});
    }
    MapBuilder out(field.shape == Shape::kSingle ? inner : Value());
    if (field.shape == Shape::kList) {
      out.set(keys::kType, "array").set(keys::kItems, std::move(inner));
    } else if (field.shape != Shape::kSingle) {
      out.set(keys::kType, "object").set(keys::kAdditionalProperties, std::move(inner));
    }
    const std::string_view text = field.text.empty() ? common_text(field.name) : field.text;
    if (!text.empty()) out.set(keys::kDescription, Value(text));
    if (field.default_value.has_value()) out.set(keys::kDefault, field.default_value);
    if (!field.enum_values.empty() && field.shape == Shape::kSingle) {
      std::vector<Value> values(field.enum_values.begin(), field.enum_values.end());
      out.set(keys::kEnum, Value::array(std::move(values)));
    }
    mark_list(field, out);
    return std::move(out).build();
  }

  Dialect dialect_;
  std::set<const TypeInfo*> seen_;  // for membership alone
  std::map<std::string, Value> schemas_;
};

// ---- paths ----

Value parameter(std::string_view name, std::string_view place, Dialect dialect) {
  const Value type = Value::map({{keys::kType, "string"}});
  MapBuilder out;
  out.set(keys::kName, Value(name)).set("in", Value(place));
  if (place == "path") out.set(keys::kRequired, true);
  if (dialect == Dialect::kV3) {
    out.set(keys::kSchema, type);
  } else {
    out.set(keys::kType, "string");
  }
  return std::move(out).build();
}

Value operation(const ResourceInfo& resource, std::string_view verb, std::string_view method,
                Dialect dialect) {
  MapBuilder out;
  out.set("x-kubernetes-action", Value(method))
      .set("x-kubernetes-group-version-kind",
           kind_marker(resource.group, resource.version, resource.kind))
      .set("responses", Value::map({{"200", Value::map({{keys::kDescription, "OK"}})}}))
      .set("operationId", cat(verb, resource.version, resource.kind));
  std::vector<Value> parameters;
  const bool writes = verb == "create" || verb == "update" || verb == "patch";
  if (writes) {
    for (const auto* name : {"dryRun", "fieldManager", "fieldValidation"}) {
      parameters.push_back(parameter(name, "query", dialect));
    }
  }
  if (verb == "patch") parameters.push_back(parameter("force", "query", dialect));
  if (!parameters.empty()) out.set("parameters", Value::array(std::move(parameters)));
  if (!writes) return std::move(out).build();
  std::vector<std::string_view> media{"application/json"};
  if (verb == "patch") {
    media = {"application/json-patch+json", "application/merge-patch+json"};
    media.push_back(resource.custom ? "application/apply-patch+yaml" : "application/strategic-merge-patch+json");
  }
  if (dialect == Dialect::kV2) {
    out.set("consumes", Value::array({media.begin(), media.end()}));
  } else {
    MapBuilder content;
    for (const auto type : media) content.set(type, Value::empty_map());
    out.set("requestBody", Value::map({{"content", std::move(content).build()}}));
  }
  return std::move(out).build();
}

void add_path(MapBuilder& paths, const ResourceInfo& resource, const std::string& path,
              std::initializer_list<std::pair<std::string_view, std::string_view>> methods,
              Dialect dialect) {
  MapBuilder item;
  for (const auto& [verb, method] : methods) {
    if (resource.has_verb(verb)) item.set(method, operation(resource, verb, method, dialect));
  }
  if (item.empty()) return;
  std::vector<Value> parameters;
  for (const auto* name : {"name", "namespace"}) {
    if (path.find(cat("{", name, "}")) != std::string::npos) {
      parameters.push_back(parameter(name, "path", dialect));
    }
  }
  if (!parameters.empty()) item.set("parameters", Value::array(std::move(parameters)));
  paths.set(path, std::move(item).build());
}

void add_paths(MapBuilder& paths, const ResourceInfo& resource, Dialect dialect) {
  const std::string root =
      resource.group.empty() ? cat("/api/", resource.version) : cat("/apis/", resource.api_version);
  const std::string home = resource.namespaced ? cat(root, "/namespaces/{namespace}") : root;
  const std::string all = cat(home, "/", resource.plural);
  if (resource.namespaced) {
    add_path(paths, resource, cat(root, "/", resource.plural), {{"list", "get"}}, dialect);
  }
  add_path(paths, resource, all,
           {{"list", "get"}, {"create", "post"}, {"deletecollection", "delete"}}, dialect);
  add_path(paths, resource, cat(all, "/{name}"),
           {{"get", "get"}, {"update", "put"}, {"patch", "patch"}, {"delete", "delete"}}, dialect);
}

Value info() {
  return Value::map({{"title", "Kubernetes"}, {keys::kVersion, Value(kVersion)}});
}

}  // namespace

Value openapi_v3_index(EnabledResources enabled, const std::function<std::string(const std::string& path)>& hash_of) {
  MapBuilder paths;
  for (const auto group : groups_by_preference(enabled)) {
    for (const auto version : versions_of(enabled, group)) {
      const std::string path =
          group.empty() ? cat("api/", version) : cat("apis/", group, "/", version);
      paths.set(path,
                Value::map({{"serverRelativeURL", cat("/openapi/v3/", path, "?hash=", hash_of(path))}}));
    }
  }
  return Value::map({{"paths", std::move(paths).build()}});
}

Value openapi_v3(EnabledResources enabled, std::string_view group, std::string_view version) {
  Definitions definitions(Dialect::kV3);
  MapBuilder paths;
  for (const auto* resource : enabled) {
    if (resource->group != group || resource->version != version) continue;
    definitions.add_kind(*resource);
    add_paths(paths, *resource, Dialect::kV3);
    for (const auto& sub : resource->subresources) {
      if (sub.type) definitions.add(*sub.type);
    }
  }
  if (paths.empty()) return {};
  return Value::map({{"openapi", "3.0.0"},
                     {"info", info()},
                     {"paths", std::move(paths).build()},
                     {"components", Value::map({{"schemas", std::move(definitions).build()}})}});
}

Value openapi_v2(EnabledResources enabled) {
  Definitions definitions(Dialect::kV2);
  MapBuilder paths;
  for (const auto* resource : enabled) {
    definitions.add_kind(*resource);
    add_paths(paths, *resource, Dialect::kV2);
  }
  return Value::map({{"swagger", "2.0"},
                     {"info", info()},
                     {"paths", std::move(paths).build()},
                     {"definitions", std::move(definitions).build()}});
}

}  // namespace minik::control
