// LabelGroups: the objects of a cache by namespace and labels, so that a selector is matched once for all that
// are labelled alike, and finding a Service's twenty pods among ten thousand does not look at ten thousand.
//
// Part of an ObjectCache and kept up by it: a group holds the same documents, one small table entry an object.
// A plain container; iteration and results are in an order that content decides.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/object_table.h"
#include "control/object/selector.h"

namespace minik::control {

class LabelGroups {
 public:
  // As in ObjectCache: absent is none.
  void change(const Value& before, const Value& after);
  void clear() { groups_.clear(); }
  // Of one namespace, sorted by name.
  std::vector<Value> selected(std::string_view namespace_, const LabelSelector& selector) const;

 private:
  struct Group {
    Value labels;
    ObjectTable members;
  };
  // By the labels' content hash; those whose hashes are equal by chance stand side by side.
  using ByHash = std::map<uint64_t, std::vector<Group>>;

  void add(const Value& object);
  void remove(const Value& object);

  std::map<std::string, ByHash, std::less<>> groups_;
};

}  // namespace minik::control
