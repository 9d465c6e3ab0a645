#include "control/schema/defaults.h"

#include <algorithm>
#include <optional>
#include <vector>

namespace minik::control {

namespace {

// Go's zero value, which a field that keeps no zeros cannot tell from an absent one.
bool reads_as_unset(const FieldInfo& field, const Value& value) {
  if (!value.has_value()) return true;
  if (field.zero_kept) return false;
  if (value.is_string()) return value.as_string().empty();
  if (value.is_int()) return value.as_int() == 0;
  if (value.is_bool()) return !value.as_bool();
  return false;
}

Value complete_each(const FieldInfo& field, const Value& value, const Value& known) {
  if (field.shape == Shape::kSingle) return apply_defaults(*field.type, value, known);
  if (field.shape == Shape::kList) {
    const auto items = value.items();
    const auto known_items = known.items();
    std::vector<Value> changed;
    for (size_t i = 0; i < items.size(); ++i) {
      Value item = apply_defaults(*field.type, items[i],
                                  i < known_items.size() ? known_items[i] : Value::absent());
      if (changed.empty() && item.same_node(items[i])) continue;
      if (changed.empty()) changed.assign(items.begin(), items.end());
      changed[i] = std::move(item);
    }
    return changed.empty() ? value : Value::array(std::move(changed));
  }
  std::optional<MapBuilder> changed;
  for (const auto& [key, item] : value.entries()) {
    Value completed = apply_defaults(*field.type, item, known[key]);
    if (completed.same_node(item)) continue;
    if (!changed) changed.emplace(value);
    changed->set(key, std::move(completed));
  }
  return changed ? std::move(*changed).build() : value;
}

}  // namespace

Value apply_defaults(const TypeInfo& type, const Value& object, const Value& known) {
  if (!type.has_defaults || !object.is_map() || object.same_node(known)) return object;
  std::optional<MapBuilder> changed;
  for (const auto& field : type.fields) {
    const bool inner = field.type != nullptr && field.type->has_defaults;
    if (!inner && field.default_value.is_absent()) continue;
    const Value& before = object[field.key];
    Value value = before;
    if (!field.default_value.is_absent() && reads_as_unset(field, value)) {
      value = field.default_value;
    }
    if (inner && value.has_value()) value = complete_each(field, value, known[field.key]);
    if (value.same_node(before)) continue;
    if (!changed) changed.emplace(object);
    changed->set(field.key, std::move(value));
  }
  const Value filled = changed ? std::move(*changed).build() : object;
  return type.complete ? type.complete(filled) : filled;
}

}  // namespace minik::control
