#include "control/extension/openapi_schema.h"

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
constexpr std::string_view kLists[] = {"allOf", "anyOf", "oneOf"};

Value reference(OpenApiDialect dialect, std::string_view prefix) {
  const Value target = Value::map({{"$ref", cat(prefix, kMeta)}});
  // A reference may have no neighbours in version 3, so it stands in a list of one.
  return dialect == OpenApiDialect::kV2 ? target : Value::map({{keys::kAllOf, Value::array({target})}});
}

void add_type_meta(MapBuilder& properties, OpenApiDialect dialect, std::string_view prefix) {
  const auto text = [](std::string_view description) {
    return Value::map({{keys::kType, "string"}, {keys::kDescription, description}});
  };
  properties.set(keys::kApiVersion, text("The version of the schema of this object."));
  properties.set(keys::kKind, text("What this object is."));
  MapBuilder metadata(reference(dialect, prefix));
  metadata.set(keys::kDescription, "Name, labels, owners and life of the object.");
  properties.set(keys::kMetadata, std::move(metadata).build());
}

Value in_v2(const Value& schema, std::string_view prefix);

Value below_in_v2(const Value& value, std::string_view prefix) {
  if (value.is_map()) return in_v2(value, prefix);
  return value;
}

Value in_v2(const Value& schema, std::string_view prefix) {
  MapBuilder out(schema);
  for (const auto name : kLists) out.erase(name);
  out.erase("not");
  out.erase("nullable");
  out.erase("x-kubernetes-validations");
  if (schema.get("x-kubernetes-int-or-string").as_bool()) out.erase("type");
  // Whoever reads version 2 takes a type for the whole truth.
  if (schema.get("nullable").as_bool() || schema.get("x-kubernetes-preserve-unknown-fields").as_bool()) {
    for (const std::string_view name : {"type", "properties", "items", "additionalProperties"}) out.erase(name);
    return std::move(out).build();
  }
  if (schema.get("properties").is_map()) {
    MapBuilder properties;
    for (const auto& [key, child] : schema.get("properties").entries()) properties.set(key, below_in_v2(child, prefix));
    if (schema.get("x-kubernetes-embedded-resource").as_bool()) add_type_meta(properties, OpenApiDialect::kV2, prefix);
    out.set("properties", std::move(properties).build());
  }
  for (const std::string_view name : {"items", "additionalProperties"}) {
    if (schema.get(name).is_map()) out.set(name, in_v2(schema.get(name), prefix));
  }
  return std::move(out).build();
}

}  // namespace

Value openapi_definition(const Value& schema, const ResourceInfo& resource, OpenApiDialect dialect,
                         std::string_view prefix) {
  const Value base = dialect == OpenApiDialect::kV2 ? in_v2(schema, prefix) : schema;
  MapBuilder out(base.is_map() ? base : Value::empty_map());
  MapBuilder properties(base.get("properties").is_map() ? base.get("properties") : Value::empty_map());
  add_type_meta(properties, dialect, prefix);
  out.set(keys::kProperties, std::move(properties).build());
  out.set(keys::kType, "object");
  out.set("x-kubernetes-group-version-kind",
          Value::array({Value::map({{keys::kGroup, Value(resource.group)},
                                    {keys::kKind, Value(resource.kind)},
                                    {keys::kVersion, Value(resource.version)}})}));
  return std::move(out).build();
}

}  // namespace minik::control
