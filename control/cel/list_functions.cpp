// Kubernetes' functions of lists (isSorted, sum, min, max, indexOf, lastIndexOf) and cel-go's
// `sets`.
#include "control/base/text.h"
#include "control/cel/overloads.h"

namespace minik::control::cel {

namespace {

Datum is_sorted(const Call& c) {
  for (size_t i = 1; i < c[0].size(); ++i) {
    const auto order = Datum::compare(c[0].item(i - 1), c[0].item(i));
    if (!order) return Datum::error("no such overload");
    if (*order == std::partial_ordering::greater) return Datum::boolean(false);
  }
  return Datum::boolean(true);
}

// The sum of nothing is the int 0: at run time an empty list has no type.
Datum sum(const Call& c) {
  Datum total = c[0].size() == 0 ? Datum::integer(0) : c[0].item(0);
  for (size_t i = 1; i <= c[0].size(); ++i) {
    if (!total.is_number() && total.kind() != Kind::kDuration)
      return Datum::error("no such overload");
    if (i == c[0].size()) break;
    const Datum pair[] = {total, c[0].item(i)};
    Datum next = Datum::error("no such overload");
    for (const auto& add : find_overloads("_+_", false)) {
      if (add.agrees(pair)) next = add.function({pair});
    }
    if (next.is_error()) return next;
    total = std::move(next);
  }
  return total;
}

template <bool least>
Datum extreme(const Call& c) {
  if (c[0].size() == 0)
    return Datum::error(least ? "min called on empty list" : "max called on empty list");
  Datum best = c[0].item(0);
  for (size_t i = 0; i < c[0].size(); ++i) {
    const Datum item = c[0].item(i);
    const auto order = Datum::compare(item, best);
    if (!order) return Datum::error("no such overload");
    if (*order == (least ? std::partial_ordering::less : std::partial_ordering::greater))
      best = item;
  }
  return best;
}

template <bool first>
Datum index_of(const Call& c) {
  for (size_t i = 0; i < c[0].size(); ++i) {
    const size_t at = first ? i : c[0].size() - 1 - i;
    if (c[0].item(at) == c[1]) return Datum::integer(static_cast<int64_t>(at));
  }
  return Datum::integer(-1);
}

bool has_item(const Datum& list, const Datum& item) {
  for (size_t i = 0; i < list.size(); ++i) {
    if (list.item(i) == item) return true;
  }
  return false;
}

bool contains_all(const Datum& list, const Datum& items) {
  for (size_t i = 0; i < items.size(); ++i) {
    if (!has_item(list, items.item(i))) return false;
  }
  return true;
}

Datum intersects(const Call& c) {
  for (size_t i = 0; i < c[0].size(); ++i) {
    if (has_item(c[1], c[0].item(i))) return Datum::boolean(true);
  }
  return Datum::boolean(false);
}

constexpr OverloadText kListFunctions[] = {
    {"list<A>.isSorted() -> bool", is_sorted, Cost::kItems},
    {"list<A>.sum() -> A", sum, Cost::kItems},
    {"list<A>.min() -> A", extreme<true>, Cost::kItems},
    {"list<A>.max() -> A", extreme<false>, Cost::kItems},
    {"list<A>.indexOf(A) -> int", index_of<true>, Cost::kItems},
    {"list<A>.lastIndexOf(A) -> int", index_of<false>, Cost::kItems},
    {"sets.contains(list<A>, list<A>) -> bool",
     [](const Call& c) { return Datum::boolean(contains_all(c[0], c[1])); }, Cost::kSets},
    {"sets.equivalent(list<A>, list<A>) -> bool",
     [](const Call& c) {
       return Datum::boolean(contains_all(c[0], c[1]) && contains_all(c[1], c[0]));
     },
     Cost::kSets},
    {"sets.intersects(list<A>, list<A>) -> bool", intersects, Cost::kSets},
};

}  // namespace

std::span<const OverloadText> list_functions() {
  return kListFunctions;
}

}  // namespace minik::control::cel
