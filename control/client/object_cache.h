// ObjectCache: the objects of one kind that a component knows, with the indexes that it declared.
// What an informer keeps up to date, what a Snapshot reads, and what a test fills by hand.
//
// Owned by an informer (or a test), used on the control thread only. Holds references to the same
// documents that the store holds. Iteration is always in order of namespace, then name; an index
// lists in the same order. A reference or span that it hands out is valid until the next change.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/object_ref.h"
#include "control/object/value.h"

namespace minik::control {

// The values under which an object is found by an index, appended to `out`; none: not in this
// index.
using IndexFunction = std::function<void(const Value& object, std::vector<Key>& out)>;

// By the uid of the controlling owner: the index that every controller of owned objects uses.
inline constexpr std::string_view kByController = "controller";

class ObjectCache {
 public:
  explicit ObjectCache(KindId kind);
  ~ObjectCache();
  ObjectCache(const ObjectCache&) = delete;
  ObjectCache& operator=(const ObjectCache&) = delete;

  KindId kind() const { return kind_; }

  // Declares an index, also over what is already here. Declaring a name twice keeps the first.
  void add_index(std::string_view name, IndexFunction function);

  // Absent when unknown.
  const Value& find(std::string_view namespace_, std::string_view name) const;
  size_t size() const;
  // Sorted; namespace "" lists all. The vector shares the documents.
  std::vector<Value> list(std::string_view namespace_ = {}) const;
  // Visits without copying, in no promised order: for sums and searches whose result has no order.
  void for_each(const std::function<void(const Value&)>& visit) const;
  // Objects under one index value, sorted; empty for a value nobody has. CHECKs that the index
  // exists.
  std::vector<Value> indexed(std::string_view index, std::string_view value) const;
  // The values that an index has now, sorted, without listing the objects under them.
  std::vector<std::string> index_values(std::string_view index) const;

  // Returns what was there before (absent: it is new).
  Value put(Value object);
  Value erase(std::string_view namespace_, std::string_view name);
  void clear();

 private:
  struct Impl;
  KindId kind_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minik::control
