#include "control/extension/correlate.h"

namespace minik::control {

Value keys_of(const SchemaNode& list, const Value& item) {
  MapBuilder keys;
  for (const auto& name : list.list_keys) {
    const Key key(name);
    const Value& given = item[key];
    const SchemaNode* node = list.items ? list.items->property(key) : nullptr;
    keys.set(key, given.has_value() || !node ? given : node->default_value);
  }
  return std::move(keys).build();
}

const Value& old_item(const SchemaNode& list, const Value& item, const Value& old_list) {
  if (list.list_type != ListType::kMap || !old_list.is_array()) return Value::absent();
  const Value keys = keys_of(list, item);
  for (const auto& old : old_list.items()) {
    if (keys_of(list, old) == keys) return old;
  }
  return Value::absent();
}

}  // namespace minik::control
