// Operators: arithmetic without silent overflow, equality, order, indexing, membership, size.
#include <cmath>

#include "control/base/text.h"
#include "control/cel/limits.h"
#include "control/cel/overloads.h"
#include "control/base/utf8.h"

namespace minik::control::cel {

namespace {

Datum overflow(std::string_view what) {
  return Datum::error(cat(what, " overflow"));
}

template <typename T>
T read(const Datum& d) {
  if constexpr (std::is_same_v<T, int64_t>) return d.as_int();
  if constexpr (std::is_same_v<T, uint64_t>) return d.as_uint();
}
Datum wrap(int64_t n) {
  return Datum::integer(n);
}
Datum wrap(uint64_t n) {
  return Datum::unsigned_integer(n);
}

enum class Operation : uint8_t { kAdd, kSubtract, kMultiply };

template <typename T, Operation operation>
Datum checked(const Call& c) {
  const T a = read<T>(c[0]), b = read<T>(c[1]);
  T result = 0;
  bool wraps = false;
  if constexpr (operation == Operation::kAdd) wraps = __builtin_add_overflow(a, b, &result);
  if constexpr (operation == Operation::kSubtract) wraps = __builtin_sub_overflow(a, b, &result);
  if constexpr (operation == Operation::kMultiply) wraps = __builtin_mul_overflow(a, b, &result);
  return wraps ? overflow(std::is_signed_v<T> ? "integer" : "unsigned integer") : wrap(result);
}

template <typename T>
Datum divide(const Call& c) {
  const T a = read<T>(c[0]), b = read<T>(c[1]);
  if (b == 0) return Datum::error("division by zero");
  if constexpr (std::is_signed_v<T>) {
    if (a == std::numeric_limits<T>::min() && b == -1) return overflow("integer");
  }
  return wrap(a / b);
}

template <typename T>
Datum modulus(const Call& c) {
  const T a = read<T>(c[0]), b = read<T>(c[1]);
  if (b == 0) return Datum::error("modulus by zero");
  if constexpr (std::is_signed_v<T>) {
    if (a == std::numeric_limits<T>::min() && b == -1) return overflow("integer");
  }
  return wrap(a % b);
}

Datum negate(const Call& c) {
  if (c[0].as_int() == std::numeric_limits<int64_t>::min()) return overflow("integer");
  return Datum::integer(-c[0].as_int());
}

Datum concatenate_lists(const Call& c) {
  std::vector<Datum> items;
  items.reserve(c[0].size() + c[1].size());
  for (const auto& list : c.arguments) {
    for (size_t i = 0; i < list.size(); ++i) items.push_back(list.item(i));
  }
  return Datum::list(std::move(items));
}

Datum concatenate(const Call& c) {
  if (c[0].as_text().size() + c[1].as_text().size() > kMadeTextBytesMax)
    return Datum::error("the text would be too long");
  const std::string joined = cat(c[0].as_text(), c[1].as_text());
  return c[0].kind() == Kind::kBytes ? Datum::bytes(joined) : Datum::text(joined);
}

template <bool less, bool equal>
Datum order(const Call& c) {
  const auto found = Datum::compare(c[0], c[1]);
  if (!found) return Datum::error("no such overload");
  if (*found == std::partial_ordering::unordered) return Datum::boolean(false);
  return Datum::boolean((equal && *found == 0) || (less ? *found < 0 : *found > 0));
}

Datum in_list(const Call& c) {
  for (size_t i = 0; i < c[1].size(); ++i) {
    if (c[0] == c[1].item(i)) return Datum::boolean(true);
  }
  return Datum::boolean(false);
}

// The index as a number from 0, when it is whole: 1, 1u and 1.0 all are.
std::optional<int64_t> whole_index(const Datum& index) {
  if (index.kind() == Kind::kInt) return index.as_int();
  if (index.kind() == Kind::kUint)
    return static_cast<int64_t>(std::min<uint64_t>(index.as_uint(), INT64_MAX));
  const double d = index.as_double();
  if (std::trunc(d) != d || std::fabs(d) > 1e15) return std::nullopt;
  return static_cast<int64_t>(d);
}

Datum list_item(const Call& c) {
  const auto index = whole_index(c[1]);
  if (!index) return Datum::error("unsupported index value");
  if (*index < 0 || static_cast<uint64_t>(*index) >= c[0].size()) {
    return Datum::error(cat("index out of bounds: ", *index));
  }
  return c[0].item(static_cast<size_t>(*index));
}

Datum map_item(const Call& c) {
  auto found = c[0].find(c[1]);
  if (!found)
    return Datum::error(cat("no such key: ", c[1].kind() == Kind::kString
                                                 ? std::string(c[1].as_text())
                                                 : c[1].display()));
  return std::move(*found);
}

Datum optional_list_item(const Call& c) {
  const Datum item = list_item(c);
  return item.is_error() ? Datum::none() : Datum::optional(item);
}
Datum optional_map_item(const Call& c) {
  auto found = c[0].find(c[1]);
  return found ? Datum::optional(std::move(*found)) : Datum::none();
}
template <Datum (*inner)(const Call&)>
Datum through_optional(const Call& c) {
  if (!c[0].has_value()) return Datum::none();
  const Datum pair[] = {c[0].optional_value(), c[1]};
  if (pair[0].kind() != Kind::kList && pair[0].kind() != Kind::kMap)
    return Datum::error("no such overload");
  return pair[0].kind() == Kind::kList ? optional_list_item({pair}) : optional_map_item({pair});
}

bool is_zero(const Datum& d) {
  switch (d.kind()) {
    case Kind::kNull:
      return true;
    case Kind::kDouble:
      return d.as_double() == 0;
    case Kind::kString:
    case Kind::kBytes:
      return d.as_text().empty();
    case Kind::kList:
    case Kind::kMap:
      return d.size() == 0;
    case Kind::kOptional:
      return !d.has_value();
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDuration:
      return d.as_int() == 0;
    case Kind::kTimestamp:
      return d.as_moment() == Datum::Moment{};
    default:
      return false;
  }
}

Datum count(size_t n) {
  return Datum::integer(static_cast<int64_t>(n));
}

constexpr OverloadText kArithmeticFunctions[] = {
    {"_==_(A, A) -> bool", [](const Call& c) { return Datum::boolean(c[0] == c[1]); },
     Cost::kSmaller},
    {"_!=_(A, A) -> bool", [](const Call& c) { return Datum::boolean(!(c[0] == c[1])); },
     Cost::kSmaller},
    {"!_(bool) -> bool", [](const Call& c) { return Datum::boolean(c[0].is_false()); }},
    {"-_(int) -> int", negate},
    {"-_(double) -> double", [](const Call& c) { return Datum::floating(-c[0].as_double()); }},
    {"_+_(int, int) -> int", checked<int64_t, Operation::kAdd>},
    {"_+_(uint, uint) -> uint", checked<uint64_t, Operation::kAdd>},
    {"_+_(double, double) -> double",
     [](const Call& c) { return Datum::floating(c[0].as_double() + c[1].as_double()); }},
    {"_+_(string, string) -> string", concatenate, Cost::kTraverse},
    {"_+_(bytes, bytes) -> bytes", concatenate, Cost::kTraverse},
    {"_+_(list<A>, list<A>) -> list<A>", concatenate_lists, Cost::kItems},
    {"_-_(int, int) -> int", checked<int64_t, Operation::kSubtract>},
    {"_-_(uint, uint) -> uint", checked<uint64_t, Operation::kSubtract>},
    {"_-_(double, double) -> double",
     [](const Call& c) { return Datum::floating(c[0].as_double() - c[1].as_double()); }},
    {"_*_(int, int) -> int", checked<int64_t, Operation::kMultiply>},
    {"_*_(uint, uint) -> uint", checked<uint64_t, Operation::kMultiply>},
    {"_*_(double, double) -> double",
     [](const Call& c) { return Datum::floating(c[0].as_double() * c[1].as_double()); }},
    {"_/_(int, int) -> int", divide<int64_t>},
    {"_/_(uint, uint) -> uint", divide<uint64_t>},
    {"_/_(double, double) -> double",
     [](const Call& c) { return Datum::floating(c[0].as_double() / c[1].as_double()); }},
    {"_%_(int, int) -> int", modulus<int64_t>},
    {"_%_(uint, uint) -> uint", modulus<uint64_t>},

    {"@in(A, list<A>) -> bool", in_list, Cost::kItems},
    {"@in(A, map<A, B>) -> bool",
     [](const Call& c) { return Datum::boolean(c[1].find(c[0]).has_value()); }},
    {"_[_](list<A>, int) -> A", list_item},
    {"_[_](list<A>, uint) -> A", list_item},
    {"_[_](list<A>, double) -> A", list_item},
    {"_[_](map<A, B>, A) -> B", map_item},
    {"_[?_](list<A>, int) -> optional<A>", optional_list_item},
    {"_[?_](map<A, B>, A) -> optional<B>", optional_map_item},
    {"_[?_](optional<list<A>>, int) -> optional<A>", through_optional<optional_list_item>},
    {"_[?_](optional<map<A, B>>, A) -> optional<B>", through_optional<optional_map_item>},
    {"_[_](optional<list<A>>, int) -> optional<A>", through_optional<optional_list_item>},
    {"_[_](optional<map<A, B>>, A) -> optional<B>", through_optional<optional_map_item>},

    {"size(string) -> int", [](const Call& c) { return count(character_count(c[0].as_text())); }},
    {"size(bytes) -> int", [](const Call& c) { return count(c[0].as_text().size()); }},
    {"size(list<A>) -> int", [](const Call& c) { return count(c[0].size()); }},
    {"size(map<A, B>) -> int", [](const Call& c) { return count(c[0].size()); }},
    {"string.size() -> int", [](const Call& c) { return count(character_count(c[0].as_text())); }},
    {"bytes.size() -> int", [](const Call& c) { return count(c[0].as_text().size()); }},
    {"list<A>.size() -> int", [](const Call& c) { return count(c[0].size()); }},
    {"map<A, B>.size() -> int", [](const Call& c) { return count(c[0].size()); }},

    {"optional.of(A) -> optional<A>", [](const Call& c) { return Datum::optional(c[0]); }},
    {"optional.none() -> optional<A>", [](const Call&) { return Datum::none(); }},
    {"optional.ofNonZeroValue(A) -> optional<A>",
     [](const Call& c) { return is_zero(c[0]) ? Datum::none() : Datum::optional(c[0]); }},
    {"optional<A>.hasValue() -> bool",
     [](const Call& c) { return Datum::boolean(c[0].has_value()); }},
    {"optional<A>.value() -> A",
     [](const Call& c) {
       return c[0].has_value() ? c[0].optional_value()
                               : Datum::error("optional.none() dereference");
     }},
    {"optional<A>.orValue(A) -> A",
     [](const Call& c) { return c[0].has_value() ? c[0].optional_value() : c[1]; }},
    {"optional<A>.or(optional<A>) -> optional<A>",
     [](const Call& c) { return c[0].has_value() ? c[0] : c[1]; }},
};

#define MINIK_ORDERED(kind)                                             \
  {"_<_(" kind ") -> bool", order<true, false>, Cost::kSmaller},        \
      {"_<=_(" kind ") -> bool", order<true, true>, Cost::kSmaller},    \
      {"_>_(" kind ") -> bool", order<false, false>, Cost::kSmaller}, { \
    "_>=_(" kind ") -> bool", order<false, true>, Cost::kSmaller        \
  }

// Numbers compare across their types, as Kubernetes has it switched on.
constexpr OverloadText kOrders[] = {MINIK_ORDERED("int, int"),
                                    MINIK_ORDERED("uint, uint"),
                                    MINIK_ORDERED("double, double"),
                                    MINIK_ORDERED("int, uint"),
                                    MINIK_ORDERED("int, double"),
                                    MINIK_ORDERED("uint, int"),
                                    MINIK_ORDERED("uint, double"),
                                    MINIK_ORDERED("double, int"),
                                    MINIK_ORDERED("double, uint"),
                                    MINIK_ORDERED("string, string"),
                                    MINIK_ORDERED("bytes, bytes"),
                                    MINIK_ORDERED("bool, bool"),
                                    MINIK_ORDERED("timestamp, timestamp"),
                                    MINIK_ORDERED("duration, duration")};
#undef MINIK_ORDERED

}  // namespace

std::span<const OverloadText> arithmetic_functions() {
  static const std::vector<OverloadText> all = [] {
    std::vector<OverloadText> both(std::begin(kArithmeticFunctions), std::end(kArithmeticFunctions));
    both.insert(both.end(), std::begin(kOrders), std::end(kOrders));
    return both;
  }();
  return all;
}

}  // namespace minik::control::cel
