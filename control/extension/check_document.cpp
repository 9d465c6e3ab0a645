// Validation of documents by their schema, in the words of kube-apiserver and of the OpenAPI validator
// that it uses: `spec.replicas in body must be of type integer: "string"`.
#include <algorithm>
#include <cmath>

#include "control/base/text.h"
#include "control/base/utf8.h"
#include "control/extension/correlate.h"
#include "control/extension/documents.h"
#include "control/extension/formats.h"
#include "control/object/json.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

using Type = SchemaNode::Type;

std::string_view kind_of(const Value& value) {
  switch (value.type()) {
    case ValueType::kBool: return "boolean";
    case ValueType::kInt: return "integer";
    case ValueType::kDouble: return "number";
    case ValueType::kString: return "string";
    case ValueType::kArray: return "array";
    case ValueType::kMap: return "object";
    default: return "null";
  }
}

// 3.0 is an integer, as it is in JSON.
bool is_whole(const Value& value) {
  if (value.is_int()) return true;
  if (!value.is_number()) return false;
  const double number = value.as_double();
  return number >= -9e15 && number <= 9e15 && number == static_cast<double>(static_cast<int64_t>(number));
}

bool is_of_type(const SchemaNode& node, const Value& value) {
  if (node.int_or_string) return value.is_int() || value.is_string();
  switch (node.type) {
    case Type::kObject: return value.is_map();
    case Type::kArray: return value.is_array();
    case Type::kString: return value.is_string();
    case Type::kInteger: return is_whole(value);
    case Type::kNumber: return value.is_number();
    case Type::kBoolean: return value.is_bool();
    case Type::kAny: return true;
  }
  return true;
}

int compare_numbers(const Value& a, const Value& b) {
  if (a.is_int() && b.is_int()) return a.as_int() < b.as_int() ? -1 : a.as_int() > b.as_int() ? 1 : 0;
  const double x = a.as_double(), y = b.as_double();
  return x < y ? -1 : x > y ? 1 : 0;
}

bool is_multiple(const Value& value, const Value& factor) {
  if (value.is_int() && factor.is_int()) return factor.as_int() == 0 || value.as_int() % factor.as_int() == 0;
  // As kube-openapi reckons, whose quotients may be off by what doubles cannot hold: 0.3 is a multiple of 0.1.
  constexpr double kError = 1e-9, kIntegerMax = 9007199254740991;
  const double by = factor.as_double();
  if (by == 0) return true;
  const double times = by < 1 ? 1 / by * value.as_double() : value.as_double() / by;
  if (!(times >= -kIntegerMax && times <= kIntegerMax)) return false;
  const double whole = std::trunc(times);
  return times == whole || std::abs(times - whole) < kError * (std::abs(times) + std::abs(whole));
}

// Whether a type of the machine holds the number. Kubernetes looks at these formats since 1.36; before, what was stored
// could be read back by no client that has such a type.
bool fits_format(const SchemaNode& node, const Value& value) {
  constexpr double kInt32Min = -2147483648.0, kInt32Max = 2147483647.0;
  constexpr double kFloatEnd = 0x1.ffffffp127;  // from here on the nearest float is infinite
  const double number = value.as_double();
  if (node.type == Type::kInteger && node.format == "int32") return number >= kInt32Min && number <= kInt32Max;
  if (node.type == Type::kNumber && node.format == "float") return number > -kFloatEnd && number < kFloatEnd;
  return true;  // int64 and double hold whatever JSON numbers become here
}

// 1 and 1.0 are the same choice.
bool same(const Value& a, const Value& b) {
  return a.is_number() && b.is_number() ? compare_numbers(a, b) == 0 : a == b;
}

class Checker {
 public:
  explicit Checker(FieldErrors& errors) : errors_(errors) {}

  void check(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at);

 private:
  bool type(const SchemaNode& node, const Value& value, const FieldPath& at);
  void text(const SchemaNode& node, const Value& value, const FieldPath& at);
  void number(const SchemaNode& node, const Value& value, const FieldPath& at);
  void list(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at);
  void object(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at);
  void choice(const SchemaNode& node, const Value& value, const FieldPath& at);
  void junctors(const SchemaNode& node, const Value& value, const FieldPath& at);
  // The complaints about `value` under another node of the same place.
  static FieldErrors judge(const SchemaNode& node, const Value& value, const FieldPath& at);

  // Complaints about combinations name no field but in their sentence.
  void composite(const FieldPath& at, std::string_view sentence) {
    const FieldPath nowhere("<nil>");
    errors_.invalid(nowhere, Value(""), cat(quoted(at.text()), " ", sentence));
  }
  std::string in_body(const FieldPath& at) const { return cat(at.text(), " in body "); }

  FieldErrors& errors_;
};

FieldErrors Checker::judge(const SchemaNode& node, const Value& value, const FieldPath& at) {
  FieldErrors found;
  Checker(found).check(node, value, Value::absent(), at);
  return found;
}

void Checker::check(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at) {
  if (!old.is_absent() && value == old) return;
  if (value.is_null() && (node.nullable || node.type == Type::kAny) && !node.int_or_string) return;
  const bool right_type = type(node, value, at);
  junctors(node, value, at);
  if (!node.enum_values.empty()) choice(node, value, at);
  if (!right_type) return;
  if (value.is_string()) text(node, value, at);
  if (value.is_number()) number(node, value, at);
  if (value.is_array()) list(node, value, old, at);
  if (value.is_map()) object(node, value, old, at);
}

bool Checker::type(const SchemaNode& node, const Value& value, const FieldPath& at) {
  if (is_of_type(node, value)) return true;
  const std::string_view wanted = node.int_or_string ? "integer,string" : type_name(node.type);
  errors_.type_invalid(at, Value(kind_of(value)),
                       cat(in_body(at), "must be of type ", wanted, ": ", quoted(kind_of(value))));
  return false;
}

void Checker::text(const SchemaNode& node, const Value& value, const FieldPath& at) {
  const std::string_view content = value.as_string();
  const auto length = static_cast<int64_t>(character_count(content));
  if (node.length_max && length > *node.length_max) errors_.too_long(at, static_cast<size_t>(*node.length_max));
  if (node.length_min && length < *node.length_min) {
    errors_.invalid(at, value, cat(in_body(at), "should be at least ", *node.length_min, " chars long"));
  }
  if (node.regex && !node.regex->matches(content)) {
    errors_.invalid(at, value, cat(in_body(at), "should match '", node.pattern, "'"));
  }
  if (!node.format.empty() && !has_format(node.format, content)) {
    errors_.type_invalid(at, value, cat(in_body(at), "must be of type ", node.format, ": ", quoted(content)));
  }
}

void Checker::number(const SchemaNode& node, const Value& value, const FieldPath& at) {
  if (!fits_format(node, value)) {
    const FieldPath nowhere("<nil>");
    errors_.invalid(nowhere, Value(""), cat("Checked value must be of type ", type_name(node.type), " with format ", node.format,
                                            " in ", at.text()));
  }
  if (node.multiple_of && !is_multiple(value, *node.multiple_of)) {
    errors_.invalid(at, value, cat(in_body(at), "should be a multiple of ", to_json(*node.multiple_of)));
  }
  if (node.maximum) {
    const int order = compare_numbers(value, *node.maximum);
    if (order > 0 || (order == 0 && node.exclusive_maximum)) {
      errors_.invalid(at, value,
                      cat(in_body(at), "should be less than ", node.exclusive_maximum ? "" : "or equal to ",
                          to_json(*node.maximum)));
    }
  }
  if (!node.minimum) return;
  const int order = compare_numbers(value, *node.minimum);
  if (order < 0 || (order == 0 && node.exclusive_minimum)) {
    errors_.invalid(at, value,
                    cat(in_body(at), "should be greater than ", node.exclusive_minimum ? "" : "or equal to ",
                        to_json(*node.minimum)));
  }
}

void Checker::list(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at) {
  const auto items = value.items();
  const auto count = static_cast<int64_t>(items.size());
  if (node.items_max && count > *node.items_max) {
    errors_.too_many(at, items.size(), static_cast<size_t>(*node.items_max));
    return;  // neither are they looked at one by one
  }
  if (node.items_min && count < *node.items_min) {
    errors_.invalid(at, Value(count), cat(in_body(at), "should have at least ", *node.items_min, " items"));
  }
  for (size_t i = 0; node.items && i < items.size(); ++i) {
    const FieldPath here = at.index(i);
    check(*node.items, items[i], old_item(node, items[i], old), here);
  }
  const bool by_keys = node.list_type == ListType::kMap && !node.list_keys.empty();
  if (!by_keys && node.list_type != ListType::kSet && !node.unique_items) return;
  std::vector<std::pair<uint64_t, Value>> seen;  // by hash, sorted: a list may be long
  for (size_t i = 0; i < items.size(); ++i) {
    Value identity = by_keys ? keys_of(node, items[i]) : items[i];
    const std::pair<uint64_t, Value> entry{identity.hash(), std::move(identity)};
    const auto less = [](const auto& a, const auto& b) { return a.first < b.first; };
    auto found = std::lower_bound(seen.begin(), seen.end(), entry, less);
    bool twin = false;
    for (auto same_hash = found; same_hash != seen.end() && same_hash->first == entry.first; ++same_hash) {
      twin = twin || same_hash->second == entry.second;
    }
    if (twin && node.unique_items) {
      errors_.invalid(at, value, cat(in_body(at), "shouldn't contain duplicates"));
      return;
    }
    const FieldPath here = at.index(i);
    if (twin) errors_.duplicate(here, entry.second);
    seen.insert(found, entry);
  }
}

void Checker::object(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at) {
  const auto count = static_cast<int64_t>(value.size());
  if (node.properties_min && count < *node.properties_min) {
    errors_.invalid(at, Value(count), cat(in_body(at), "should have at least ", *node.properties_min, " properties"));
  }
  if (node.properties_max && count > *node.properties_max) {
    errors_.too_many(at, value.size(), static_cast<size_t>(*node.properties_max));
  }
  for (const auto& name : node.required) {
    const FieldPath here = at.field(name);
    if (!value.contains(name)) errors_.required(here);
  }
  if (node.embedded_resource) {
    for (const auto& key : {keys::kApiVersion, keys::kKind}) {
      const FieldPath here = at.field(key.text());
      if (value[key].as_string().empty()) errors_.required(here, "must not be empty");
    }
  }
  for (const auto& [key, item] : value.entries()) {
    const SchemaNode* named = node.property(key);
    const SchemaNode* child = named ? named : node.additional.get();
    if (child == nullptr) continue;
    const FieldPath here = at.field(key.text());
    check(*child, item, old[key], here);
  }
}

void Checker::choice(const SchemaNode& node, const Value& value, const FieldPath& at) {
  for (const auto& allowed : node.enum_values) {
    if (same(allowed, value)) return;
  }
  std::vector<std::string> texts;
  for (const auto& allowed : node.enum_values) texts.push_back(allowed.is_string() ? allowed.string() : to_json(allowed));
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  errors_.not_supported(at, value, views);
}

void Checker::junctors(const SchemaNode& node, const Value& value, const FieldPath& at) {
  size_t good = 0;
  FieldErrors nearest;
  bool failed = false;
  const auto try_each = [&](const std::vector<SchemaNode::Ptr>& nodes) {
    good = 0;
    failed = false;
    for (const auto& one : nodes) {
      FieldErrors found = judge(*one, value, at);
      if (found.empty()) {
        ++good;
      } else if (!failed || found.list().size() < nearest.list().size()) {
        nearest = std::move(found);
        failed = true;
      }
    }
  };
  if (!node.any_of.empty()) {
    try_each(node.any_of);
    if (good == 0) {
      composite(at, "must validate at least one schema (anyOf)");
      errors_.add(std::move(nearest));
    }
  }
  if (!node.one_of.empty()) {
    try_each(node.one_of);
    if (good == 0) {
      composite(at, "must validate one and only one schema (oneOf). Found none valid");
      errors_.add(std::move(nearest));
    } else if (good > 1) {
      composite(at, cat("must validate one and only one schema (oneOf). Found ", good, " valid alternatives"));
    }
  }
  if (!node.all_of.empty()) {
    good = 0;
    for (const auto& one : node.all_of) {
      FieldErrors found = judge(*one, value, at);
      if (found.empty()) ++good;
      errors_.add(std::move(found));
    }
    if (good != node.all_of.size()) {
      composite(at, cat("must validate all the schemas (allOf)", good == 0 ? ". None validated" : ""));
    }
  }
  if (node.negated && judge(*node.negated, value, at).empty()) composite(at, "must not validate the schema (not)");
}

}  // namespace

void check_document(const SchemaNode& node, const Value& value, const Value& old, const FieldPath& at,
                    FieldErrors& errors) {
  Checker(errors).check(node, value, old, at);
}

}  // namespace minik::control
