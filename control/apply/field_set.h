// FieldSet: a set of paths into documents, what one field manager owns; and its wire form, FieldsV1.
//
//   f:NAME         a field of an object or an entry of a map
//   k:{KEYS}       the item of a list whose key fields are these
//   v:VALUE        the item of a list of scalars that is this
//   i:NUMBER       the item at this place
//
// A path may be in the set itself, and so may paths below it; FieldsV1 writes the first as "." beside the
// others, or as an empty object where there are no others. The specification is structured-merge-diff's.
//
// A plain value. from_fields_v1() takes bytes from outside: anything that is no FieldsV1 is BadRequest.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/object/value.h"

namespace minik::control {

class FieldSet {
 public:
  static Result<FieldSet> from_fields_v1(const Value& fields);
  Value to_fields_v1() const;

  bool empty() const { return !member_ && children_.empty(); }
  bool is_member() const { return member_; }
  void insert() { member_ = true; }
  // Made when it is not there; an element that stays empty is not a part of the set.
  FieldSet& at(const std::string& element) { return children_[element]; }
  // With all that is below it.
  void erase(std::string_view element) {
    if (const auto found = children_.find(element); found != children_.end()) children_.erase(found);
  }
  // Null when nothing at or below the element is in the set.
  const FieldSet* find(std::string_view element) const;
  const std::map<std::string, FieldSet, std::less<>>& children() const { return children_; }

  void unite(const FieldSet& other);
  FieldSet united(const FieldSet& other) const {
    FieldSet both = *this;
    both.unite(other);
    return both;
  }
  FieldSet intersected(const FieldSet& other) const;
  FieldSet without(const FieldSet& other) const;
  bool operator==(const FieldSet&) const = default;

  // As people read them: ".spec.containers[name="web"].image", in order.
  std::vector<std::string> paths() const;

  static std::string field(std::string_view name);
  // `keys` is the map of the key fields alone.
  static std::string item_with_keys(const Value& keys);
  static std::string item_of_value(const Value& value);

 private:
  void collect(const std::string& prefix, std::vector<std::string>& paths) const;

  bool member_ = false;
  std::map<std::string, FieldSet, std::less<>> children_;
};

}  // namespace minik::control
