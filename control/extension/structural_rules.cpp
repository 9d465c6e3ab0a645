#include "control/extension/structural_rules.h"

#include <algorithm>
#include <optional>

#include "control/base/text.h"
#include "control/extension/documents.h"
#include "control/extension/json_path.h"
#include "control/extension/rule_costs.h"
#include "control/extension/rules.h"
#include "control/object/json.h"

namespace minik::control {

namespace {

constexpr std::string_view kPreserve = "x-kubernetes-preserve-unknown-fields";
constexpr std::string_view kEmbedded = "x-kubernetes-embedded-resource";
constexpr std::string_view kIntOrString = "x-kubernetes-int-or-string";
constexpr std::string_view kListType = "x-kubernetes-list-type";
constexpr std::string_view kListKeys = "x-kubernetes-list-map-keys";
constexpr std::string_view kMapType = "x-kubernetes-map-type";
constexpr std::string_view kRules = "x-kubernetes-validations";
constexpr std::string_view kTypes[] = {"array", "boolean", "integer", "number", "object", "string"};
constexpr std::string_view kReasons[] = {"FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid",
                                         "FieldValueRequired"};

enum class Level { kRoot, kItem, kField };

bool says(const Value& schema, std::string_view field) {
  const Value& value = schema.get(field);
  return value.has_value() && !(value.is_bool() && !value.as_bool()) && !(value.is_string() && value.as_string().empty()) &&
         !((value.is_array() || value.is_map()) && value.empty());
}

bool is_int_or_string_choice(const Value& list) {
  return list.items().size() == 2 && list.items()[0] == Value::map({{"type", "integer"}}) &&
         list.items()[1] == Value::map({{"type", "string"}});
}

// What a rule may count on where it stands.
struct Surroundings {
  bool correlatable = true;           // the value has a counterpart in the version before
  std::optional<uint64_t> places = 1;  // how many such places a document may have; nothing: nobody bounds them
};

class Walk {
 public:
  explicit Walk(FieldErrors& errors) : errors_(errors) {}

  void node(const Value& schema, Level level, const Surroundings& around, const FieldPath& at);
  // Once all nodes have been seen.
  void total(const FieldPath& at) { costs_.check_total(at, errors_); }

 private:
  void unsupported(const Value& schema, const FieldPath& at);
  void type(const Value& schema, Level level, const FieldPath& at);
  void type_meta(const Value& schema, Level level, const FieldPath& at);
  void lists(const Value& schema, const FieldPath& at);
  void map_keys(const Value& schema, const FieldPath& at);
  void children(const Value& schema, const Surroundings& around, const FieldPath& at);
  void validations(const Value& schema, bool skip_choice, const FieldPath& at);
  void nested(const Value& schema, bool skip_choice, const FieldPath& at);
  void defaults(const Value& schema, const FieldPath& at);
  void rules(const Value& schema, Level level, const Surroundings& around, const FieldPath& at);
  // The rule, where it can be asked.
  std::optional<ValidationRule> rule(const Value& rule, const cel::Type& self, bool correlatable, const FieldPath& at);

  void forbid(const Value& schema, const FieldPath& at, std::string_view field, std::string_view why) {
    const FieldPath here = at.field(field);
    if (says(schema, field)) errors_.forbidden(here, why);
  }

  FieldErrors& errors_;
  RuleCosts costs_;
};

void Walk::node(const Value& schema, Level level, const Surroundings& around, const FieldPath& at) {
  unsupported(schema, at);
  type(schema, level, at);
  type_meta(schema, level, at);
  lists(schema, at);
  const bool choice = schema.get(kIntOrString).as_bool() && is_int_or_string_choice(schema.get("anyOf"));
  validations(schema, choice, at);
  children(schema, around, at);
  defaults(schema, at);
  rules(schema, level, around, at);
}

void Walk::unsupported(const Value& schema, const FieldPath& at) {
  for (const std::string_view field :
       {"$ref", "additionalItems", "definitions", "dependencies", "id", "patternProperties"}) {
    const FieldPath here = at.field(field);
    if (schema.get(field).has_value() && says(schema, field)) errors_.forbidden(here, cat(field, " is not supported"));
  }
  forbid(schema, at, "uniqueItems", "uniqueItems cannot be set to true since the runtime complexity becomes quadratic");
  const Value& additional = schema.get("additionalProperties");
  if (additional.has_value() && !schema.get("properties").empty() && !(additional.is_bool() && additional.as_bool())) {
    const FieldPath here = at.field("additionalProperties");
    errors_.forbidden(here, "additionalProperties and properties are mutual exclusive");
  }
  const FieldPath preserve = at.field(kPreserve);
  if (schema.get(kPreserve).is_bool() && !schema.get(kPreserve).as_bool()) {
    errors_.invalid(preserve, Value(false), "must be true or undefined");
  }
  if (!schema.get(kIntOrString).as_bool()) return;
  const FieldPath embedded = at.field(kEmbedded);
  if (schema.get(kPreserve).as_bool()) errors_.invalid(preserve, Value(true), "must be false if x-kubernetes-int-or-string is true");
  if (schema.get(kEmbedded).as_bool()) errors_.invalid(embedded, Value(true), "must be false if x-kubernetes-int-or-string is true");
}

void Walk::type(const Value& schema, Level level, const FieldPath& at) {
  const FieldPath here = at.field("type");
  const std::string_view type = schema.get("type").as_string();
  const bool embedded = schema.get(kEmbedded).as_bool();
  if (type == "null") {
    errors_.forbidden(here, "type cannot be set to null, use nullable as an alternative");
  } else if (!type.empty() && std::ranges::find(kTypes, type) == std::end(kTypes)) {
    errors_.not_supported(here, Value(type), kTypes);
  } else if (embedded && type != "object") {
    constexpr std::string_view kWhy = "must be object if x-kubernetes-embedded-resource is true";
    type.empty() ? errors_.required(here, kWhy) : errors_.invalid(here, Value(type), kWhy);
  } else if (type.empty() && !schema.get(kIntOrString).as_bool() && !schema.get(kPreserve).as_bool()) {
    errors_.required(here, level == Level::kRoot   ? "must not be empty at the root"
                           : level == Level::kItem ? "must not be empty for specified array items"
                                                   : "must not be empty for specified object fields");
  }
  if (level == Level::kRoot && !type.empty() && type != "object") {
    errors_.invalid(here, Value(type), "must be object at the root");
  }
  const FieldPath items = at.field("items"), additional = at.field("additionalProperties"), properties = at.field("properties");
  const Value& given = schema.get("items");
  if (type == "array" && !given.has_value()) errors_.required(items, "must be specified");
  if (given.is_array()) errors_.forbidden(items, "items must be a schema object and not an array");
  if (level == Level::kRoot && says(schema, "additionalProperties")) {
    errors_.forbidden(additional, "must not be used at the root");
  }
  if (embedded && says(schema, "additionalProperties")) {
    errors_.forbidden(additional, "must not be used if x-kubernetes-embedded-resource is set");
  }
  if (embedded && !schema.get(kPreserve).as_bool() && schema.get("properties").empty()) {
    errors_.required(properties, "must not be empty if x-kubernetes-embedded-resource is true without "
                                 "x-kubernetes-preserve-unknown-fields");
  }
}

// What a schema may say of the fields that every resource has.
void Walk::type_meta(const Value& schema, Level level, const FieldPath& at) {
  if (level != Level::kRoot && !schema.get(kEmbedded).as_bool()) return;
  const FieldPath properties = at.field("properties");
  for (const std::string_view field : {"apiVersion", "kind"}) {
    const FieldPath named = properties.key(field);
    const FieldPath here = named.field("type");
    const Value& given = schema.get("properties").get(field);
    if (given.is_map() && given.get("type").as_string() != "string") {
      errors_.invalid(here, given.get("type").is_absent() ? Value("") : given.get("type"), "must be string");
    }
  }
  const Value& metadata = schema.get("properties").get("metadata");
  if (!metadata.is_map()) return;
  const FieldPath here = properties.key("metadata");
  const FieldPath type = here.field("type");
  if (metadata.get("type").as_string() != "object") {
    errors_.invalid(type, metadata.get("type").is_absent() ? Value("") : metadata.get("type"), "must be object");
  }
  if (level != Level::kRoot) return;
  for (const auto& [key, value] : metadata.entries()) {
    const bool harmless = key.text() == "type" || key.text() == "description" || key.text() == "title";
    bool names = key.text() == "properties";
    for (const auto& [name, property] : value.entries()) names &= name.text() == "name" || name.text() == "generateName";
    if (harmless || names) continue;
    errors_.forbidden(here, "must not specify anything other than name and generateName, but metadata is implicitly specified");
    return;
  }
}

void Walk::lists(const Value& schema, const FieldPath& at) {
  const std::string_view list = schema.get(kListType).as_string(), map = schema.get(kMapType).as_string();
  const FieldPath list_at = at.field(kListType), map_at = at.field(kMapType), type_at = at.field("type");
  const std::string_view type = schema.get("type").as_string();
  constexpr std::string_view kListTypes[] = {"atomic", "map", "set"}, kMapTypes[] = {"atomic", "granular"};
  if (!schema.get(kMapType).is_absent() && std::ranges::find(kMapTypes, map) == std::end(kMapTypes)) {
    errors_.not_supported(map_at, Value(map), kMapTypes);
  } else if (!map.empty() && type != "object") {
    errors_.invalid(type_at, Value(type), "must be object if x-kubernetes-map-type is specified");
  }
  if (schema.get(kListType).is_absent()) {
    if (says(schema, kListKeys)) errors_.invalid(list_at, Value(""), "must be map if x-kubernetes-list-map-keys is non-empty");
    return;
  }
  if (std::ranges::find(kListTypes, list) == std::end(kListTypes))
    return errors_.not_supported(list_at, Value(list), kListTypes);
  if (type != "array") {
    errors_.invalid(type_at, Value(type), "must be array if x-kubernetes-list-type is specified");
  } else if (list == "map") {
    map_keys(schema, at);
  } else if (says(schema, kListKeys)) {
    errors_.invalid(list_at, Value(list), "must be map if x-kubernetes-list-map-keys is non-empty");
  } else if (list == "set") {
    const Value& items = schema.get("items");
    const FieldPath items_at = at.field("items");
    const FieldPath here = items_at.field("nullable");
    if (items.get("nullable").as_bool()) errors_.forbidden(here, "cannot be nullable when x-kubernetes-list-type is set");
    const FieldPath kind = items_at.field(kMapType);
    if (items.get("type").as_string() == "object" && items.get(kMapType).as_string() != "atomic") {
      errors_.invalid(kind, items.get(kMapType).is_absent() ? Value("") : items.get(kMapType),
                      "must be atomic as item of a list with x-kubernetes-list-type=set");
    }
  }
}

void Walk::map_keys(const Value& schema, const FieldPath& at) {
  const FieldPath keys_at = at.field(kListKeys), items_at = at.field("items");
  const FieldPath type_at = items_at.field("type"), properties_at = items_at.field("properties");
  const Value& items = schema.get("items");
  if (schema.get(kListKeys).empty()) errors_.required(keys_at, "must not be empty if x-kubernetes-list-type is map");
  if (items.get("type").as_string() != "object") {
    errors_.invalid(type_at, items.get("type").is_absent() ? Value("") : items.get("type"),
                    "must be object if parent array's x-kubernetes-list-type is map");
    return;
  }
  const auto names = schema.get(kListKeys).items();
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string_view name = names[i].as_string();
    const Value& property = items.get("properties").get(name);
    const FieldPath here = keys_at.index(i), named = properties_at.key(name);
    const FieldPath default_at = named.field("default"), kind_at = named.field("type");
    if (!property.is_map()) {
      errors_.invalid(here, names[i], "entries must all be names of item properties");
      continue;
    }
    const std::string_view type = property.get("type").as_string();
    if (type == "array" || type == "object") {
      errors_.invalid(kind_at, Value(type), "must be a scalar type if parent array's x-kubernetes-list-type is map");
    }
    const auto required = items.get("required").items();
    if (property.get("default").is_absent() && std::ranges::find(required, names[i]) == required.end()) {
      errors_.required(default_at, "this property is in x-kubernetes-list-map-keys, so it must have a default or be a "
                                   "required property");
    }
    for (size_t j = 0; j < i; ++j) {
      if (names[j] == names[i]) errors_.duplicate(here, names[i]);
    }
  }
}

void Walk::children(const Value& schema, const Surroundings& around, const FieldPath& at) {
  const FieldPath properties = at.field("properties"), items = at.field("items"), additional = at.field("additionalProperties");
  const auto limit = [&](std::string_view name) {
    return schema.get(name).is_int() ? std::optional(schema.get(name).as_int()) : std::nullopt;
  };
  for (const auto& [key, child] : schema.get("properties").entries()) {
    const FieldPath here = properties.key(key.text());
    node(child, Level::kField, around, here);
  }
  if (schema.get("items").is_map()) {
    const bool correlatable = around.correlatable && schema.get(kListType).as_string() == "map";
    node(schema.get("items"), Level::kItem, {correlatable, places_below(around.places, limit("maxItems"))}, items);
  }
  if (schema.get("additionalProperties").is_map()) {
    node(schema.get("additionalProperties"), Level::kField,
         {around.correlatable, places_below(around.places, limit("maxProperties"))}, additional);
  }
}

void Walk::validations(const Value& schema, bool skip_choice, const FieldPath& at) {
  const bool first_all = schema.get(kIntOrString).as_bool() && !schema.get("allOf").empty() &&
                         is_int_or_string_choice(schema.get("allOf").items()[0].get("anyOf"));
  for (const std::string_view name : {"allOf", "anyOf", "oneOf"}) {
    if (name == "anyOf" && skip_choice) continue;
    const FieldPath list = at.field(name);
    const auto all = schema.get(name).items();
    for (size_t i = 0; i < all.size(); ++i) {
      const FieldPath here = list.index(i);
      nested(all[i], name == "allOf" && i == 0 && first_all, here);
    }
  }
  const FieldPath negated = at.field("not"), pattern = at.field("pattern");
  if (schema.get("not").is_map()) nested(schema.get("not"), false, negated);
  if (!says(schema, "pattern")) return;
  if (auto regex = cel::Regex::compile(schema.get("pattern").as_string()); !regex) {
    errors_.invalid(pattern, schema.get("pattern"),
                    cat("must be a valid regular expression, but isn't: ", regex.error().message));
  }
}

void Walk::nested(const Value& schema, bool skip_choice, const FieldPath& at) {
  validations(schema, skip_choice, at);
  for (const std::string_view field : {std::string_view("type"), std::string_view("title"), std::string_view("description"),
                                       kListKeys, kRules}) {
    forbid(schema, at, field, "must be empty to be structural");
  }
  for (const std::string_view field : {std::string_view("additionalProperties"), std::string_view("default"),
                                       std::string_view("externalDocs"), kListType, kMapType}) {
    forbid(schema, at, field, "must be undefined to be structural");
  }
  for (const std::string_view field : {std::string_view("nullable"), kPreserve, kEmbedded, kIntOrString}) {
    forbid(schema, at, field, "must be false to be structural");
  }
  const FieldPath items = at.field("items"), properties = at.field("properties");
  if (schema.get("items").is_map()) nested(schema.get("items"), false, items);
  for (const auto& [key, child] : schema.get("properties").entries()) {
    const FieldPath here = properties.key(key.text());
    if (key.text() == "metadata") errors_.forbidden(here, "must not be specified in a nested context");
    nested(child, false, here);
  }
}

void Walk::defaults(const Value& schema, const FieldPath& at) {
  const Value& given = schema.get("default");
  if (given.is_absent()) return;
  const FieldPath here = at.field("default");
  const auto node = compile_schema(schema);
  std::vector<std::string> dropped;
  if (given.is_map()) (void)pruned(*node, given, dropped);
  if (!dropped.empty()) return errors_.invalid(here, given, "must not have unknown fields");
  check_document(*node, defaulted(*node, given), Value::absent(), here, errors_);
}

void Walk::rules(const Value& schema, Level level, const Surroundings& around, const FieldPath& at) {
  const auto all = schema.get(kRules).items();
  if (all.empty()) return;
  const SchemaLevel schema_level = level == Level::kRoot ? SchemaLevel::kRoot : SchemaLevel::kBelow;
  const auto node = compile_schema(schema, schema_level);
  const cel::Type self = cel_type_of(*node, schema_level);
  const FieldPath list = at.field(kRules);
  for (size_t i = 0; i < all.size(); ++i) {
    const FieldPath here = list.index(i);
    if (const auto compiled = rule(all[i], self, around.correlatable, here)) {
      costs_.check(*compiled, *node, schema_level, around.places, here, errors_);
    }
    const std::string_view path = all[i].get("fieldPath").as_string();
    if (path.empty()) continue;
    const FieldPath path_at = here.field("fieldPath");
    const auto parsed = JsonPath::parse(path);
    if (!parsed || (!parsed->fields().empty() && schema_at(schema, parsed->fields()).is_absent())) {
      errors_.invalid(path_at, Value(path), cat("fieldPath must be a valid path: ",
                                                parsed ? "does not refer to a valid field" : parsed.error().message));
    }
  }
}

std::optional<ValidationRule> Walk::rule(const Value& rule, const cel::Type& self, bool correlatable, const FieldPath& at) {
  const FieldPath rule_at = at.field("rule"), message_at = at.field("message"), reason_at = at.field("reason");
  if (trim(rule.get("rule").as_string()).empty()) {
    errors_.required(rule_at, "rule is not specified");
    return std::nullopt;
  }
  const std::string_view message = rule.get("message").as_string();
  if (message.find('\n') != std::string_view::npos) {
    errors_.invalid(message_at, rule.get("message"), "message must not contain line breaks");
  }
  const std::string_view reason = rule.get("reason").as_string();
  if (!reason.empty() && std::ranges::find(kReasons, reason) == std::end(kReasons)) {
    errors_.not_supported(reason_at, Value(reason), kReasons);
  }
  auto compiled = compile_rule(rule, self);
  if (!compiled) {
    errors_.invalid(rule_at, rule, cat("compilation failed: ", compiled.error().message));
    return std::nullopt;
  }
  if (compiled->uses_old_self && !correlatable) {
    errors_.invalid(rule_at, rule, "oldSelf cannot be used on the uncorrelatable portion of the schema");
  }
  const FieldPath optional_at = at.field("optionalOldSelf");
  if (compiled->optional_old_self && !compiled->uses_old_self) {
    errors_.invalid(optional_at, Value(true), "may not be set if oldSelf is not used in rule");
  }
  return *std::move(compiled);
}

}  // namespace

void check_schema(const Value& schema, const FieldPath& at, FieldErrors& errors) {
  Walk walk(errors);
  walk.node(schema, Level::kRoot, {}, at);
  walk.total(at);
}

const Value& schema_at(const Value& schema, const std::vector<std::string>& fields) {
  const Value* here = &schema;
  for (const auto& name : fields) {
    const Value& additional = here->get("additionalProperties");
    here = additional.is_map() ? &additional : &here->get("properties").get(name);
    if (!here->is_map()) return Value::absent();
  }
  return *here;
}

}  // namespace minik::control
