#include "control/extension/documents.h"

#include "control/base/text.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

// Where the walk stands; spelled out only where something is dropped.
struct Place {
  const Place* up = nullptr;
  std::string_view name;  // empty for an item
  size_t index = 0;
};

std::string text_of(const Place& place) {
  if (place.up == nullptr) return {};
  const std::string before = text_of(*place.up);
  if (place.name.empty()) return cat(before, "[", place.index, "]");
  return before.empty() ? std::string(place.name) : cat(before, ".", place.name);
}

bool belongs_to_every_resource(const Key& key) {
  return key == keys::kApiVersion || key == keys::kKind || key == keys::kMetadata;
}

// Without a node nothing is known; `keep` says whether unknown things stay there.
Value prune(const SchemaNode* node, const Value& value, bool keep, bool resource, const Place& place,
            std::vector<std::string>& dropped) {
  if (value.is_array()) {
    const SchemaNode* items = node ? node->items.get() : nullptr;
    std::vector<Value> changed;
    const auto all = value.items();
    for (size_t i = 0; i < all.size(); ++i) {
      const Place here{&place, {}, i};
      Value item = prune(items, all[i], keep, items && items->embedded_resource, here, dropped);
      if (changed.empty() && item.same_node(all[i])) continue;
      if (changed.empty()) changed.assign(all.begin(), all.end());
      changed[i] = std::move(item);
    }
    return changed.empty() ? value : Value::array(std::move(changed));
  }
  if (!value.is_map()) return value;
  if (node) keep = node->keeps_unknown();
  std::optional<MapBuilder> changed;
  for (const auto& [key, item] : value.entries()) {
    const SchemaNode* child = node ? node->child(key) : nullptr;
    if (resource && belongs_to_every_resource(key)) continue;
    const Place here{&place, key.text()};
    if (child == nullptr && !keep) {
      dropped.push_back(text_of(here));
      if (!changed) changed.emplace(value);
      changed->erase(key);
      continue;
    }
    if (child == nullptr) continue;  // everything below is kept too
    if (item.is_null() && !child->nullable && child->default_value.is_absent() && child->type != SchemaNode::Type::kAny) {
      if (!changed) changed.emplace(value);
      changed->erase(key);  // as good as absent
      continue;
    }
    Value next = prune(child, item, false, child->embedded_resource, here, dropped);
    if (next.same_node(item)) continue;
    if (!changed) changed.emplace(value);
    changed->set(key, std::move(next));
  }
  return changed ? std::move(*changed).build() : value;
}

Value default_items(const SchemaNode& items, const Value& list) {
  std::vector<Value> changed;
  const auto all = list.items();
  for (size_t i = 0; i < all.size(); ++i) {
    Value item = all[i].is_null() && !items.nullable && !items.default_value.is_absent() ? items.default_value : all[i];
    item = defaulted(items, item);
    if (changed.empty() && item.same_node(all[i])) continue;
    if (changed.empty()) changed.assign(all.begin(), all.end());
    changed[i] = std::move(item);
  }
  return changed.empty() ? list : Value::array(std::move(changed));
}

}  // namespace

Value pruned(const SchemaNode& root, const Value& document, std::vector<std::string>& dropped) {
  const Place start;
  return prune(&root, document, false, true, start, dropped);
}

Value defaulted(const SchemaNode& node, const Value& value) {
  if (!node.has_defaults) return value;
  if (value.is_array()) return node.items ? default_items(*node.items, value) : value;
  if (!value.is_map()) return value;
  std::optional<MapBuilder> changed;
  const auto set = [&](const Key& key, Value next) {
    if (!changed) changed.emplace(value);
    changed->set(key, std::move(next));
  };
  // A null that may not be one is as good as absent: the default comes in its place, or it goes.
  const auto complete = [&](const Key& key, const SchemaNode& child) {
    if (!child.has_defaults) return;
    const Value& given = value[key];
    const bool missing = given.is_absent() || (given.is_null() && !child.nullable);
    if (missing && child.default_value.is_absent()) return;
    Value next = defaulted(child, missing ? child.default_value : given);
    if (!next.same_node(given)) set(key, std::move(next));
  };
  for (const auto& property : node.properties) complete(property.key, *property.node);
  if (node.additional) {
    for (const auto& entry : value.entries()) {
      if (node.property(entry.key) == nullptr) complete(entry.key, *node.additional);
    }
  }
  return changed ? std::move(*changed).build() : value;
}

}  // namespace minik::control
