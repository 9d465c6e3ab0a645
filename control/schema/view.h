// The base of the generated typed views: a borrowed document read by the schema's names.
//
// A view is one pointer and copies like one; it lives no longer than the document it reads, so it
// cannot be made from a temporary. Missing fields read as their schema default or as empty, and a
// view of nothing reads as an empty object, so that chains need no checks. Accessors carry the
// API's own spelling (nodeName()), so that a field has one name everywhere; has_x() says whether it
// is there and x_value() gives the raw Value. Writers do not use views: they build with MapBuilder
// and with_at().
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "control/object/value.h"

namespace minik::control {

class View {
 public:
  View() : value_(&Value::absent()) {}
  explicit View(const Value& value) : value_(&value) {}
  View(Value&&) = delete;

  // The document itself; `value` would collide with a field of that name.
  const Value& raw() const { return *value_; }
  // The field is there and not null.
  explicit operator bool() const { return value_->has_value(); }

 private:
  const Value* value_;
};

// A list whose items are read through Read (a view, or text); a forward range.
template <typename Item, Item (*Read)(const Value&)>
class ReadList {
 public:
  ReadList() = default;
  explicit ReadList(const Value& array) : items_(array.items()) {}

  class Iterator {
   public:
    using iterator_concept = std::forward_iterator_tag;
    using iterator_category = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    using reference = Item;
    using pointer = void;

    Iterator() = default;
    explicit Iterator(const Value* at) : at_(at) {}
    Item operator*() const { return Read(*at_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    Iterator operator++(int) { return Iterator(at_++); }
    bool operator==(const Iterator&) const = default;

   private:
    const Value* at_ = nullptr;
  };

  Iterator begin() const { return Iterator(items_.data()); }
  Iterator end() const { return Iterator(items_.data() + items_.size()); }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  Item operator[](size_t i) const { return Read(items_[i]); }
  bool contains(const Item& wanted) const requires std::equality_comparable<Item> {
    for (const auto& value : items_) {
      if (Read(value) == wanted) return true;
    }
    return false;
  }

 private:
  std::span<const Value> items_;
};

template <typename ItemView>
ItemView read_view(const Value& value) {
  return ItemView(value);
}
inline std::string_view read_text(const Value& value) {
  return value.as_string();
}

template <typename ItemView>
using ViewList = ReadList<ItemView, &read_view<ItemView>>;
using StringList = ReadList<std::string_view, &read_text>;

// A map from strings to objects: for (const auto [key, view] : map), in order of the keys.
template <typename ItemView>
class ViewMap {
 public:
  explicit ViewMap(const Value& map) : map_(&map) {}

  class Iterator {
   public:
    explicit Iterator(const MapEntry* at) : at_(at) {}
    std::pair<std::string_view, ItemView> operator*() const {
      return {at_->key.text(), ItemView(at_->value)};
    }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const MapEntry* at_;
  };

  Iterator begin() const { return Iterator(map_->entries().data()); }
  Iterator end() const { return Iterator(map_->entries().data() + map_->entries().size()); }
  size_t size() const { return map_->size(); }
  bool empty() const { return map_->empty(); }
  // A view of nothing when there is no such key.
  ItemView operator[](std::string_view key) const { return ItemView(map_->get(key)); }

 private:
  const Value* map_;
};

}  // namespace minik::control
