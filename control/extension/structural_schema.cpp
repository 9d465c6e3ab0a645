#include "control/extension/structural_schema.h"

#include <algorithm>

#include "control/extension/rules.h"

namespace minik::control {

namespace {

using NodeType = SchemaNode::Type;

NodeType type_of(std::string_view name) {
  for (const auto type : {NodeType::kObject, NodeType::kArray, NodeType::kString, NodeType::kInteger, NodeType::kNumber,
                          NodeType::kBoolean}) {
    if (type_name(type) == name) return type;
  }
  return NodeType::kAny;
}

std::optional<int64_t> number_of(const Value& value) {
  if (!value.is_number()) return std::nullopt;
  return value.is_int() ? value.as_int() : static_cast<int64_t>(value.as_double());
}

std::optional<Value> bound_of(const Value& value) {
  return value.is_number() ? std::optional(value) : std::nullopt;
}

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> out;
  for (const auto& item : list.items()) out.push_back(item.string());
  return out;
}

void compile_children(const Value& schema, SchemaNode& node) {
  for (const auto& [key, child] : schema.get("properties").entries()) {
    if (child.is_map()) node.properties.push_back({key, compile_schema(child)});
  }
  if (schema.get("items").is_map()) node.items = compile_schema(schema.get("items"));
  const Value& additional = schema.get("additionalProperties");
  if (additional.is_map()) node.additional = compile_schema(additional);
  node.additional_any = additional.as_bool();
  const auto each = [&](std::string_view name, std::vector<SchemaNode::Ptr>& into) {
    for (const auto& item : schema.get(name).items()) into.push_back(compile_schema(item));
  };
  each("allOf", node.all_of);
  each("anyOf", node.any_of);
  each("oneOf", node.one_of);
  if (schema.get("not").is_map()) node.negated = compile_schema(schema.get("not"));
}

void compile_validations(const Value& schema, SchemaNode& node) {
  node.format = schema.get("format").string();
  for (const auto& value : schema.get("enum").items()) node.enum_values.push_back(value);
  node.pattern = schema.get("pattern").string();
  if (!node.pattern.empty()) {
    if (auto regex = cel::Regex::compile(node.pattern)) node.regex = *std::move(regex);
  }
  node.minimum = bound_of(schema.get("minimum"));
  node.maximum = bound_of(schema.get("maximum"));
  node.multiple_of = bound_of(schema.get("multipleOf"));
  node.exclusive_minimum = schema.get("exclusiveMinimum").as_bool();
  node.exclusive_maximum = schema.get("exclusiveMaximum").as_bool();
  node.length_min = number_of(schema.get("minLength"));
  node.length_max = number_of(schema.get("maxLength"));
  node.items_min = number_of(schema.get("minItems"));
  node.items_max = number_of(schema.get("maxItems"));
  node.properties_min = number_of(schema.get("minProperties"));
  node.properties_max = number_of(schema.get("maxProperties"));
  node.unique_items = schema.get("uniqueItems").as_bool();
  node.required = texts(schema.get("required"));
}

void compile_extensions(const Value& schema, SchemaNode& node) {
  node.preserve_unknown = schema.get("x-kubernetes-preserve-unknown-fields").as_bool();
  node.embedded_resource = schema.get("x-kubernetes-embedded-resource").as_bool();
  node.int_or_string = schema.get("x-kubernetes-int-or-string").as_bool();
  node.map_atomic = schema.get("x-kubernetes-map-type").as_string() == "atomic";
  const auto list_type = schema.get("x-kubernetes-list-type").as_string();
  node.list_type = list_type == "map"   ? ListType::kMap
                   : list_type == "set" ? ListType::kSet
                                        : ListType::kAtomic;
  node.list_keys = texts(schema.get("x-kubernetes-list-map-keys"));
}

// What is known of a whole once its parts are there.
void look_below(SchemaNode& node) {
  node.has_defaults = !node.default_value.is_absent();
  constexpr std::string_view kConverted[] = {"date", "date-time", "datetime", "duration", "byte"};
  node.converts = node.type == SchemaNode::Type::kNumber ||
                  (node.type == SchemaNode::Type::kString &&
                   std::ranges::find(kConverted, node.format) != std::end(kConverted));
  const auto add = [&](const SchemaNode* child) {
    if (child == nullptr) return;
    node.has_defaults |= child->has_defaults;
    node.has_rules |= child->has_rules;
    node.converts |= child->converts;
  };
  for (const auto& property : node.properties) add(property.node.get());
  add(node.items.get());
  add(node.additional.get());
}

}  // namespace

SchemaNode::SchemaNode() = default;
SchemaNode::~SchemaNode() = default;

const SchemaNode* SchemaNode::property(const Key& key) const {
  const auto found = std::lower_bound(properties.begin(), properties.end(), key,
                                      [](const Property& p, const Key& k) { return p.key < k; });
  return found != properties.end() && found->key == key ? found->node.get() : nullptr;
}

const SchemaNode* SchemaNode::child(const Key& key) const {
  const SchemaNode* named = property(key);
  return named ? named : additional.get();
}

SchemaNode::Ptr compile_schema(const Value& schema, SchemaLevel level) {
  auto node = std::make_unique<SchemaNode>();
  node->type = type_of(schema.get("type").as_string());
  node->nullable = schema.get("nullable").as_bool();
  node->default_value = schema.get("default");
  compile_children(schema, *node);
  compile_validations(schema, *node);
  compile_extensions(schema, *node);
  look_below(*node);
  node->rules = compile_rules(schema.get("x-kubernetes-validations"), *node, level);
  node->has_rules |= node->rules != nullptr;
  return node;
}

std::string_view type_name(SchemaNode::Type type) {
  switch (type) {
    case SchemaNode::Type::kObject: return "object";
    case SchemaNode::Type::kArray: return "array";
    case SchemaNode::Type::kString: return "string";
    case SchemaNode::Type::kInteger: return "integer";
    case SchemaNode::Type::kNumber: return "number";
    case SchemaNode::Type::kBoolean: return "boolean";
    case SchemaNode::Type::kAny: break;
  }
  return "";
}

}  // namespace minik::control
