#include "control/object/subtree_pool.h"

#include <bit>

#include "control/base/check.h"

namespace minik::control {

SubtreePool::SubtreePool(size_t slots) : slots_(slots) {
  CHECK(std::has_single_bit(slots));
}

Value SubtreePool::shared(const Value& value, const Value& previous) {
  const bool text = value.is_string();
  if (value.same_node(previous) || (text ? !value.on_heap() : value.size() == 0)) return value;
  const uint64_t hash = value.hash();
  const size_t place = (hash ^ hash >> 32) & (slots_.size() - 1);
  if (slots_[place] == value) return slots_[place];
  // The parts go in first, one into this very slot perhaps: the larger part stays.
  return slots_[place] = text ? value : share(value, previous);
}

// Copies only from the first part that changes: most documents come back as they are.
Value SubtreePool::share(const Value& document, const Value& previous) {
  if (document.is_array()) {
    std::vector<Value> items;
    bool changed = false;
    const auto all = document.items(), before = previous.items();
    for (size_t i = 0; i < all.size(); ++i) {
      Value item = shared(all[i], i < before.size() ? before[i] : Value::absent());
      if (!changed) {
        if (item.same_node(all[i])) continue;
        changed = true;
        items.reserve(all.size());
        items.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(i));
      }
      items.push_back(std::move(item));
    }
    return changed ? Value::array(std::move(items)) : document;
  }
  std::vector<MapEntry> entries;
  bool changed = false;
  const auto all = document.entries(), before = previous.entries();
  size_t next = 0;  // both are sorted: what was before is rarely far from the last one
  for (size_t i = 0; i < all.size(); ++i) {
    const auto& [key, old] = all[i];
    while (next < before.size() && before[next].key < key) ++next;
    const MapEntry* known = next < before.size() && before[next].key == key ? &before[next] : nullptr;
    const Value name = known ? Value(known->key) : shared(Value(key), Value::absent());
    Value item = shared(old, known ? known->value : Value::absent());
    if (!changed) {
      if (item.same_node(old) && name.same_node(Value(key))) continue;
      changed = true;
      entries.reserve(all.size());
      entries.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(i));
    }
    entries.push_back({Key(name), std::move(item)});
  }
  return changed ? Value::map(std::move(entries)) : document;
}

}  // namespace minik::control
