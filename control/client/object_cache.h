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
#include "control/object/selector.h"
#include "control/object/value.h"

namespace minik::control {

// The values under which an object is found by an index, appended to `out`; none: not in this
// index.
using IndexFunction = std::function<void(const Value& object, std::vector<Key>& out)>;

// What a decision asks of an object and may be counted instead of listed: some answers as bits, labels, and where it is.
struct Trait {
  uint32_t bits = 0;
  Value labels;
  Value namespace_ = {};
  bool operator==(const Trait&) const = default;
};
struct Tallied {
  Trait trait;
  size_t count = 0;
};
// Under which value, and as what, an object is counted; absent: not by this tally.
struct TallyEntry {
  Value under;
  Trait trait;
};
using TallyFunction = std::function<TallyEntry(const Value& object)>;

// What a decision keeps beside a cache for itself, told of each change as the indexes are.
class CacheView {
 public:
  virtual ~CacheView() = default;
  // Absent: the object is new, or gone.
  virtual void change(const Value& before, const Value& after) = 0;
  virtual void clear() = 0;
};

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
  // Declares that objects are looked for by labels, also over what is already here.
  void group_by_labels();
  // Of one namespace, sorted by name. CHECKs that group_by_labels() was called.
  std::vector<Value> selected(std::string_view namespace_, const LabelSelector& selector) const;

  // Declares a tally, also over what is already here: how many objects are alike under one value, kept up
  // with each change, so that a decision about ten thousand pods costs what their differences cost. Declaring
  // a name twice keeps the first.
  void add_tally(std::string_view name, TallyFunction function);
  // In the order in which the traits came up; empty for a value nobody has. CHECKs that the tally exists.
  // Valid until the next change.
  const std::vector<Tallied>& tally(std::string_view name, std::string_view value) const;

  // Declares a view; it learns of changes from now on. Declaring a name twice keeps the first.
  void add_view(std::string_view name, std::unique_ptr<CacheView> view);
  // CHECKs that the view exists; View::kName is its name. A view may remember what it was asked, so it is not const.
  template <typename View>
  View& view() const {
    return static_cast<View&>(view_named(View::kName));
  }

  // The values that an index has now, sorted, without listing the objects under them.
  std::vector<std::string> index_values(std::string_view index) const;

  // Returns what was there before (absent: it is new).
  Value put(Value object);
  Value erase(std::string_view namespace_, std::string_view name);
  void clear();

 private:
  struct Impl;
  CacheView& view_named(std::string_view name) const;
  KindId kind_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace minik::control
