// ObjectTable: objects by namespace and name, the container under the store and under every cache.
//
// A hash table of 8-byte keys to 8-byte documents per namespace (about 24 bytes an object), because a
// million pods stand in several of these; order is made only when a list is asked for, and remembered
// until a name is added or removed. Replacing an object keeps the order. Hash order never shows:
// for_each() is for sums and searches without order.
//
// A plain container: one owner, one thread. References and spans are valid until the next change.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

class ObjectTable {
 public:
  ObjectTable();
  ~ObjectTable();
  ObjectTable(ObjectTable&&) noexcept;
  ObjectTable& operator=(ObjectTable&&) noexcept;

  // Absent when there is none.
  const Value& find(std::string_view namespace_, std::string_view name) const;
  // Both return what was there before.
  Value put(Value object);
  Value erase(std::string_view namespace_, std::string_view name);
  void clear();

  size_t size() const { return size_; }
  // Appends the objects of one namespace, or with "" of all, in order of namespace and name.
  void list(std::string_view namespace_, std::vector<Value>& out) const;
  void for_each(const std::function<void(const Value&)>& visit) const;

 private:
  struct Shard;
  struct Shards;
  std::unique_ptr<Shards> shards_;
  size_t size_ = 0;
};

}  // namespace minik::control
