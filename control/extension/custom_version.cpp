#include "control/extension/custom_version.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/extension/documents.h"
#include "control/extension/openapi_schema.h"
#include "control/extension/rules.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr std::string_view kVerbs = "create delete deletecollection get list patch update watch";
constexpr std::string_view kSubresourceVerbs = "get patch update";

std::string words_of(const Value& list) {
  std::vector<std::string> words;
  for (const auto& item : list.items()) words.push_back(item.string());
  return join(words, " ");
}

// "com.example.stable" for stable.example.com: how definitions are named in OpenAPI.
std::string reversed(std::string_view group) {
  auto parts = split(group, '.');
  std::ranges::reverse(parts);
  std::string out;
  for (const auto part : parts) out += cat(out.empty() ? "" : ".", part);
  return out;
}

const TypeInfo& object_meta() {
  static const TypeInfo& type = *Schema::builtin().find_type("meta", "ObjectMeta");
  return type;
}

BaseType base_of(const SchemaNode& node) {
  if (node.int_or_string) return BaseType::kIntOrString;
  switch (node.type) {
    case SchemaNode::Type::kString: return BaseType::kString;
    case SchemaNode::Type::kInteger: return BaseType::kInt64;
    case SchemaNode::Type::kNumber: return BaseType::kDouble;
    case SchemaNode::Type::kBoolean: return BaseType::kBool;
    default: return BaseType::kAny;
  }
}

std::vector<std::string> path_fields(const Value& path) {
  if (path.as_string().empty()) return {};
  const auto parsed = JsonPath::parse(path.as_string());
  return parsed ? parsed->fields() : std::vector<std::string>();
}

// What a column of this type shows of a value; null where it is of another type.
Value cell_of(std::string_view type, const Value& value, WallTime now) {
  if (type == "integer") {
    if (value.is_int()) return value;
    return value.is_number() ? Value(static_cast<int64_t>(value.as_double())) : Value(nullptr);
  }
  if (type == "number") return value.is_number() ? value : Value(nullptr);
  if (type == "boolean") return value.is_bool() ? value : Value(nullptr);
  if (type == "date") {
    if (!value.is_string()) return nullptr;
    const auto time = parse_time(value.as_string());
    return time ? Value(format_age(now - *time)) : Value("<invalid>");
  }
  return value.is_string() ? value : Value(to_json(value));
}

}  // namespace

CustomVersion::CustomVersion(const Value& definition, const Value& version, CustomKindIds ids)
    : schema_text_(version.get("schema").get("openAPIV3Schema")),
      schema_(compile_schema(schema_text_, SchemaLevel::kRoot)),
      is_storage_(version.get("storage").as_bool()) {
  resource_.id = ids.served;
  resource_.storage = ids.stored;
  name_resource(definition, version);
  read_subresources(version);
  read_columns(version);
  resource_.custom = this;
  resource_.type = type_of(*schema_, true);
  stored_resource_ = resource_;
  stored_resource_.id = ids.stored;
  if (!version.get("deprecated").as_bool()) return;
  warning_ = version.get("deprecationWarning").string();
  if (warning_.empty()) warning_ = cat(resource_.api_version, " ", resource_.kind, " is deprecated");
}

std::string_view CustomVersion::keep(std::string text) { return texts_.emplace_back(std::move(text)); }

void CustomVersion::name_resource(const Value& definition, const Value& version) {
  const Value& spec = definition[keys::kSpec];
  const Value& names = definition[keys::kStatus].get("acceptedNames");
  resource_.group = keep(spec[keys::kGroup].string());
  resource_.version = keep(version[keys::kName].string());
  resource_.plural = keep(names.get("plural").string());
  resource_.singular = keep(names.get("singular").string());
  resource_.kind = keep(names[keys::kKind].string());
  resource_.namespaced = spec.get("scope").as_string() == "Namespaced";
  resource_.verbs = kVerbs;
  resource_.short_names = keep(words_of(names.get("shortNames")));
  resource_.categories = keep(words_of(names.get("categories")));
  resource_.api_version = cat(resource_.group, "/", resource_.version);
  std::vector<std::string> selectable;
  for (const auto& field : version.get("selectableFields").items()) {
    std::string path = field.get("jsonPath").string();
    selectable.push_back(path.starts_with('.') ? path.substr(1) : path);
  }
  resource_.selectable_fields = keep(join(selectable, " "));
}

void CustomVersion::read_subresources(const Value& version) {
  const Value& subresources = version.get("subresources");
  if (subresources[keys::kStatus].is_map()) {
    resource_.subresources.push_back(
        {"status", resource_.kind, resource_.group, resource_.version, nullptr, kSubresourceVerbs});
  }
  const Value& scale = subresources.get("scale");
  if (!scale.is_map()) return;
  scale_ = ScalePaths{path_fields(scale.get("specReplicasPath")), path_fields(scale.get("statusReplicasPath")),
                      path_fields(scale.get("labelSelectorPath"))};
  resource_.subresources.push_back({"scale", "Scale", "autoscaling", "v1",
                                    Schema::builtin().find_document("autoscaling/v1", "Scale"), kSubresourceVerbs});
}

void CustomVersion::read_columns(const Value& version) {
  const auto add = [this](CustomColumn column, std::string_view path) {
    auto parsed = JsonPath::parse(path);
    if (!parsed) return;  // refused before it came here
    columns_.push_back(std::move(column));
    cells_.push_back(*std::move(parsed));
  };
  for (const auto& column : version.get("additionalPrinterColumns").items()) {
    add({column[keys::kName].string(), column[keys::kType].string(), column[keys::kFormat].string(),
         column[keys::kDescription].string(), column.get("priority").as_int()},
        column.get("jsonPath").as_string());
  }
  if (columns_.empty()) add({"Age", "date", "", "", 0}, ".metadata.creationTimestamp");
}

std::vector<Value> CustomVersion::cells(const Value& object, WallTime now) const {
  std::vector<Value> cells;
  for (size_t i = 0; i < columns_.size(); ++i) {
    const auto found = cells_[i].find(object);
    cells.push_back(found.empty() || found.front().is_null() ? Value(nullptr) : cell_of(columns_[i].type, found.front(), now));
  }
  return cells;
}

// ---- the view of server-side apply ----

const TypeInfo* CustomVersion::type_of(const SchemaNode& node, bool resource) {
  if (node.type != SchemaNode::Type::kObject) return nullptr;
  if (node.properties.empty() && !resource && !node.embedded_resource) return nullptr;
  TypeInfo& type = types_.emplace_back();
  type.package = "custom";
  type.name = resource ? resource_.kind : "object";
  type.openapi = resource ? keep(cat(reversed(resource_.group), ".", resource_.version)) : "";
  if (resource) type.api_version = resource_.api_version;
  type.text = {};
  type.atomic = node.map_atomic;
  type.has_defaults = false;
  type.complete = nullptr;
  type.check = nullptr;
  const bool whole = resource || node.embedded_resource;
  std::vector<FieldInfo> fields;
  for (const auto& property : node.properties) {
    const bool own = property.key == keys::kApiVersion || property.key == keys::kKind || property.key == keys::kMetadata;
    if (whole && own) continue;
    fields.push_back(field_of(property.key, *property.node));
  }
  if (whole) {
    for (const std::string_view name : {"apiVersion", "kind", "metadata"}) {
      FieldInfo field{Key(name), name, Shape::kSingle, BaseType::kString, nullptr, false, false, false, false, {},
                      ListType::kNone, {}, false, Value(), {}, {}, {}, false, {}, {}};
      if (name == "metadata") {
        field.base = BaseType::kObject;
        field.type = &object_meta();
      }
      fields.push_back(std::move(field));
    }
  }
  std::ranges::sort(fields, [](const FieldInfo& a, const FieldInfo& b) { return a.key < b.key; });
  type.fields = std::move(fields);
  return &type;
}

FieldInfo CustomVersion::field_of(const Key& key, const SchemaNode& node) {
  FieldInfo field{key, keep(std::string(key.text())), Shape::kSingle, base_of(node), nullptr, false, true, false, false, {},
                  ListType::kNone, {}, node.map_atomic, node.default_value, {}, {}, {}, false, {}, {}};
  const SchemaNode* below = nullptr;
  if (node.type == SchemaNode::Type::kArray) {
    field.shape = Shape::kList;
    field.list_type = node.list_type;
    for (size_t i = 0; i < std::min(node.list_keys.size(), std::size(field.list_keys)); ++i) {
      field.list_keys[i] = keep(node.list_keys[i]);
    }
    below = node.items.get();
  } else if (node.type == SchemaNode::Type::kObject && node.properties.empty() && !node.embedded_resource) {
    field.shape = Shape::kMap;
    below = node.additional.get();
  } else if (node.type == SchemaNode::Type::kObject) {
    field.type = type_of(node, false);
    field.base = BaseType::kObject;
    return field;
  } else {
    return field;
  }
  field.base = below ? base_of(*below) : BaseType::kAny;
  field.type = below ? type_of(*below, false) : nullptr;
  if (field.type) field.base = BaseType::kObject;
  return field;
}

// ---- objects ----

Result<Decoded> CustomVersion::decode(const Value& document) const {
  if (!document.is_map()) return Error(ErrorCode::kBadRequest, "the object is not a map of fields");
  Decoded result;
  MapBuilder object(document);
  const Value& metadata = document[keys::kMetadata];
  if (metadata.has_value()) {
    auto decoded = control::decode(object_meta(), metadata);
    if (!decoded) return std::move(decoded).error();
    for (const auto& field : decoded->unknown_fields) {
      // `unknown field "x"` is told from the root of the object.
      const std::string_view start = "unknown field \"";
      result.unknown_fields.push_back(field.starts_with(start) ? cat(start, "metadata.", field.substr(start.size())) : field);
    }
    object.set(keys::kMetadata, std::move(decoded->object));
  } else {
    object.erase(keys::kMetadata);
  }
  std::vector<std::string> dropped;
  result.object = pruned(*schema_, std::move(object).build(), dropped);
  for (const auto& path : dropped) result.unknown_fields.push_back(cat("unknown field ", quoted(path)));
  return result;
}

Value CustomVersion::with_defaults(const Value& object) const { return defaulted(*schema_, object); }

Value CustomVersion::presented(const Value& object) const {
  if (is_storage_) return defaulted(*schema_, object);
  std::vector<std::string> dropped;
  return defaulted(*schema_, pruned(*schema_, object, dropped));
}

void CustomVersion::check(const Value& object, const Value& old, FieldErrors& errors) const {
  const FieldPath root;
  // apiVersion and kind are not stored with objects, but a schema may ask for them.
  const auto whole = [this](const Value& stored) {
    if (stored.is_absent()) return stored;
    return stored.with(keys::kApiVersion, resource_.api_version).with(keys::kKind, resource_.kind);
  };
  const Value now = whole(object), before = whole(old);
  FieldErrors found;
  check_document(*schema_, now, before, root, found);
  const bool blocked = std::ranges::any_of(found.list(), [](const FieldError& error) {
    return error.type == FieldErrorType::kRequired || error.type == FieldErrorType::kNotSupported ||
           error.type == FieldErrorType::kTooLong || error.type == FieldErrorType::kTooMany ||
           error.type == FieldErrorType::kTypeInvalid;
  });
  errors.add(std::move(found));
  if (blocked && schema_->has_rules) {
    const FieldPath nowhere("<nil>");
    errors.invalid(nowhere, Value(nullptr),
                   "some validation rules were not checked because the object was invalid; correct the existing "
                   "errors to complete validation");
  } else if (!blocked) {
    check_rules(*schema_, now, before, root, errors);
  }
}

Value CustomVersion::openapi(OpenApiDialect dialect, std::string_view prefix) const {
  return openapi_definition(schema_text_, resource_, dialect, prefix);
}

}  // namespace minik::control
