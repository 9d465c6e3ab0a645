// StructuralSchema: the OpenAPI v3 schema of a custom resource, compiled: a tree of nodes that says of
// each place in a document what it may be.
//
// The tree is made of a CustomResourceDefinition that crd_validation.h has found good, and of others as
// far as they go: what it cannot read it leaves out, because the questions whether a schema is structural
// and whether it means anything are asked before. Nodes below allOf, anyOf, oneOf and not are of the same
// type; only value validations have a meaning there.
//
// Immutable once made; any thread may read. Depth is bounded by what the JSON parser admits.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/cel/regex.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

struct ValidationRules;  // rules.h: x-kubernetes-validations, compiled

struct SchemaNode {
  enum class Type : uint8_t { kAny, kObject, kArray, kString, kInteger, kNumber, kBoolean };
  using Ptr = std::unique_ptr<SchemaNode>;
  struct Property {
    Key key;
    Ptr node;
  };

  SchemaNode();
  ~SchemaNode();
  SchemaNode(const SchemaNode&) = delete;
  SchemaNode& operator=(const SchemaNode&) = delete;

  // What the place is.
  Type type = Type::kAny;
  bool nullable = false;
  bool preserve_unknown = false, embedded_resource = false, int_or_string = false;
  std::vector<Property> properties;  // sorted by key
  Ptr items;
  Ptr additional;                 // additionalProperties as a schema
  bool additional_any = false;    // additionalProperties: true
  Value default_value;            // absent: none
  ListType list_type = ListType::kNone;
  std::vector<std::string> list_keys;
  bool map_atomic = false;

  // What its values must be like.
  std::string format;
  std::vector<Value> enum_values;
  std::string pattern;
  std::shared_ptr<const cel::Regex> regex;
  std::optional<Value> minimum, maximum, multiple_of;
  bool exclusive_minimum = false, exclusive_maximum = false;
  std::optional<int64_t> length_min, length_max, items_min, items_max, properties_min, properties_max;
  bool unique_items = false;
  std::vector<std::string> required;  // in the order of the schema
  std::vector<Ptr> all_of, any_of, one_of;
  Ptr negated;
  std::unique_ptr<const ValidationRules> rules;  // null: none

  // Of the node or of something below it, so that walks can pass by what does not concern them.
  bool has_defaults = false, has_rules = false;
  // CEL sees something here as another kind than JSON has: moments, durations, bytes, numbers.
  bool converts = false;

  const SchemaNode* property(const Key& key) const;
  // The node of an entry of an object, by its properties or else its additionalProperties; may be null.
  const SchemaNode* child(const Key& key) const;
  // Keeps entries that no node speaks of.
  bool keeps_unknown() const { return preserve_unknown || additional_any; }
};

// `schema` is a JSONSchemaProps. The root of a resource has apiVersion, kind and metadata besides.
enum class SchemaLevel : uint8_t { kRoot, kBelow };
SchemaNode::Ptr compile_schema(const Value& schema, SchemaLevel level = SchemaLevel::kBelow);

std::string_view type_name(SchemaNode::Type type);  // "object"; "" for kAny

}  // namespace minik::control
