// The base of the generated typed views: a borrowed document read by the schema's names.
//
// A view is one pointer and copies like one; it lives no longer than the document it reads, so it
// cannot be made from a temporary. Missing fields read as their schema default or as empty. Accessors
// carry the API's own spelling (nodeName()), so that a field has one name everywhere; x_value() gives
// the raw Value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

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

// A list of objects, read through views.
template <typename ItemView>
class ViewList {
 public:
  explicit ViewList(const Value& array) : items_(array.items()) {}
  class Iterator {
   public:
    explicit Iterator(const Value* at) : at_(at) {}
    ItemView operator*() const { return ItemView(*at_); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const Value* at_;
  };
  Iterator begin() const { return Iterator(items_.data()); }
  Iterator end() const { return Iterator(items_.data() + items_.size()); }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  ItemView operator[](size_t i) const { return ItemView(items_[i]); }

 private:
  std::span<const Value> items_;
};

class StringList {
 public:
  explicit StringList(const Value& array) : items_(array.items()) {}
  class Iterator {
   public:
    explicit Iterator(const Value* at) : at_(at) {}
    std::string_view operator*() const { return at_->as_string(); }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    const Value* at_;
  };
  Iterator begin() const { return Iterator(items_.data()); }
  Iterator end() const { return Iterator(items_.data() + items_.size()); }
  size_t size() const { return items_.size(); }
  bool empty() const { return items_.empty(); }
  std::string_view operator[](size_t i) const { return items_[i].as_string(); }
  bool contains(std::string_view text) const {
    for (const auto item : *this) {
      if (item == text) return true;
    }
    return false;
  }

 private:
  std::span<const Value> items_;
};

}  // namespace minik::control
