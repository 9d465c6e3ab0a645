// Datum: what an expression is worth while it is evaluated.
//
// Documents (Value) stand in it as they are, nothing is copied: a list or map of a document is read
// in place, and text is the document's text. Only what an expression makes itself ([1, 2].map(…))
// is a list or map of Datums.
//
// Invariants: a made map is sorted by key and its keys are unique, so iteration has one order; an
// error is a Datum too, because && and || may absorb it. Value semantics, cheap to copy, never
// changes once made, hence free to cross threads.
//
// Equality and order are CEL's: numbers compare by amount across int, uint and double; other kinds
// that differ are unequal; NaN equals nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"
#include "control/cel/type.h"
#include "control/object/value.h"

namespace minik::control::cel {

// What is too large for a number and is no document.
struct Extension {
  virtual ~Extension() = default;
};

class Datum {
 public:
  struct Entry;
  // A moment from year 1 to 9999, which nanoseconds in 64 bits do not reach.
  struct Moment {
    int64_t seconds = 0;
    int32_t nanos = 0;
    auto operator<=>(const Moment&) const = default;
  };

  Datum() = default;  // null
  static Datum boolean(bool b) { return Datum(Kind::kBool, b ? 1 : 0); }
  static Datum integer(int64_t n) { return Datum(Kind::kInt, n); }
  static Datum unsigned_integer(uint64_t n) { return Datum(Kind::kUint, static_cast<int64_t>(n)); }
  static Datum floating(double d);
  static Datum text(std::string_view text) { return Datum(Kind::kString, Value(text)); }
  static Datum bytes(std::string_view bytes) { return Datum(Kind::kBytes, Value(bytes)); }
  // Errors when it has more than kMadePartsMax parts, or two keys are equal.
  static Datum list(std::vector<Datum> items);
  static Datum map(std::vector<Entry> entries);
  // Of the type of that name; keys are the fields' names.
  static Datum object(std::string_view type_name, std::vector<Entry> fields);
  static Datum moment(Moment moment);
  static Datum duration(Duration duration) { return Datum(Kind::kDuration, duration.ns); }
  static Datum type(std::string_view name) { return Datum(Kind::kType, Value(name)); }
  static Datum optional(Datum value);
  static Datum none() { return Datum(Kind::kOptional, 0); }
  static Datum extension(Kind kind, std::shared_ptr<const Extension> extension);
  static Datum error(std::string_view message) { return Datum(Kind::kError, Value(message)); }
  // A part of a document; an absent one is null.
  static Datum document(const Value& value);

  Kind kind() const { return kind_; }
  bool is_error() const { return kind_ == Kind::kError; }
  bool is_true() const { return kind_ == Kind::kBool && number_ != 0; }
  bool is_false() const { return kind_ == Kind::kBool && number_ == 0; }
  bool is_number() const {
    return kind_ == Kind::kInt || kind_ == Kind::kUint || kind_ == Kind::kDouble;
  }

  // Readers of one kind each; the caller has looked at kind().
  int64_t as_int() const { return number_; }
  uint64_t as_uint() const { return static_cast<uint64_t>(number_); }
  double as_double() const;
  std::string_view as_text() const { return value_.as_string(); }  // also bytes, type and error
  Moment as_moment() const { return {number_, nanos_}; }
  Duration as_duration() const { return {number_}; }
  bool has_value() const { return box_ != nullptr; }  // of an optional
  const Datum& optional_value() const;
  template <typename T>
  const T& as() const {
    return static_cast<const T&>(*box_);
  }

  // Of lists, maps and objects.
  size_t size() const;
  // How many parts a walk through it visits, at least 1; a document's own parts are not counted.
  uint64_t parts() const;
  Datum item(size_t index) const;
  Entry entry(size_t index) const;
  std::optional<Datum> find(const Datum& key) const;

  // As JSON would have it: timestamps and durations as text. An error for what JSON has no form of.
  Result<Value> to_value() const;
  // For messages: 5, "text", [1, 2].
  std::string display() const;
  // The kind, or for maps and lists and so on the name that type() answers.
  std::string type_name() const;

  friend bool operator==(const Datum& a, const Datum& b);
  // Nothing where CEL has no order between the two.
  static std::optional<std::partial_ordering> compare(const Datum& a, const Datum& b);

 private:
  Datum(Kind kind, int64_t number) : kind_(kind), number_(number) {}
  Datum(Kind kind, Value value) : kind_(kind), value_(std::move(value)) {}

  Kind kind_ = Kind::kNull;
  int32_t nanos_ = 0;
  int64_t number_ = 0;  // the bits of a double
  Value value_;         // text, or the document behind a list or map
  std::shared_ptr<const Extension> box_;
};

struct Datum::Entry {
  Datum key, value;
};

// 1.5, 1e+06: a double as Go prints it.
std::string format_double(double d);
// 2009-02-13T23:31:30.5Z
std::string format_moment(Datum::Moment moment);
// 90s, 1.5s: seconds and a fraction, as protocol buffers write a duration.
std::string format_seconds(Duration duration);

}  // namespace minik::control::cel
