#include "control/cel/datum.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <chrono>
#include <cmath>

#include "control/base/int128.h"
#include "control/base/text.h"
#include "control/cel/extensions.h"
#include "control/cel/limits.h"
#include "control/object/json.h"

namespace minik::control::cel {

namespace {

struct ListBox : Extension {
  uint64_t parts = 0;
  std::vector<Datum> items;
};
struct MapBox : Extension {
  uint64_t parts = 0;
  std::vector<Datum::Entry> entries;
};
struct OptionalBox : Extension {
  Datum value;
};

std::partial_ordering compare_int_double(Int128 a, double b) {
  if (std::isnan(b)) return std::partial_ordering::unordered;
  if (b >= 0x1p65) return std::partial_ordering::less;
  if (b <= -0x1p65) return std::partial_ordering::greater;
  const auto whole = static_cast<Int128>(b);
  if (a != whole) return a < whole ? std::partial_ordering::less : std::partial_ordering::greater;
  return static_cast<double>(whole) <=> b;
}

Int128 wide(const Datum& d) {
  return d.kind() == Kind::kUint ? static_cast<Int128>(d.as_uint())
                                 : static_cast<Int128>(d.as_int());
}

std::partial_ordering compare_numbers(const Datum& a, const Datum& b) {
  const bool a_double = a.kind() == Kind::kDouble, b_double = b.kind() == Kind::kDouble;
  if (a_double && b_double) return a.as_double() <=> b.as_double();
  if (b_double) return compare_int_double(wide(a), b.as_double());
  if (a_double) return 0 <=> compare_int_double(wide(b), a.as_double());
  const Int128 x = wide(a), y = wide(b);
  return x < y    ? std::partial_ordering::less
         : x == y ? std::partial_ordering::equivalent
                  : std::partial_ordering::greater;
}

// Any total order of keys that puts equal ones together: booleans, numbers, text.
bool key_less(const Datum& a, const Datum& b) {
  const auto rank = [](const Datum& d) {
    return d.kind() == Kind::kBool ? 0 : d.is_number() ? 1 : 2;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  const auto order = Datum::compare(a, b);
  return order && *order == std::partial_ordering::less;
}

}  // namespace

Datum Datum::floating(double d) {
  return Datum(Kind::kDouble, std::bit_cast<int64_t>(d));
}
double Datum::as_double() const {
  return std::bit_cast<double>(number_);
}

Datum Datum::list(std::vector<Datum> items) {
  auto box = std::make_shared<ListBox>();
  for (const auto& item : items) box->parts += item.parts();
  if (box->parts > kMadePartsMax) return error("the list would have too many parts");
  box->items = std::move(items);
  return extension(Kind::kList, std::move(box));
}

Datum Datum::map(std::vector<Entry> entries) {
  std::ranges::stable_sort(entries, key_less, &Entry::key);
  for (size_t i = 1; i < entries.size(); ++i) {
    if (!key_less(entries[i - 1].key, entries[i].key)) {
      return error(cat("duplicate key in map: ", entries[i].key.display()));
    }
  }
  auto box = std::make_shared<MapBox>();
  for (const auto& entry : entries) box->parts += entry.value.parts();
  if (box->parts > kMadePartsMax) return error("the map would have too many parts");
  box->entries = std::move(entries);
  return extension(Kind::kMap, std::move(box));
}

Datum Datum::object(std::string_view type_name, std::vector<Entry> fields) {
  Datum made = map(std::move(fields));
  if (made.is_error()) return made;
  made.kind_ = Kind::kObject;
  made.value_ = Value(type_name);
  return made;
}

Datum Datum::moment(Moment moment) {
  Datum d(Kind::kTimestamp, moment.seconds);
  d.nanos_ = moment.nanos;
  return d;
}

Datum Datum::optional(Datum value) {
  auto box = std::make_shared<OptionalBox>();
  box->value = std::move(value);
  return extension(Kind::kOptional, std::move(box));
}

const Datum& Datum::optional_value() const {
  return as<OptionalBox>().value;
}

Datum Datum::extension(Kind kind, std::shared_ptr<const Extension> extension) {
  Datum d(kind, 0);
  d.box_ = std::move(extension);
  return d;
}

Datum Datum::document(const Value& value) {
  switch (value.type()) {
    case ValueType::kAbsent:
    case ValueType::kNull:
      return {};
    case ValueType::kBool:
      return boolean(value.as_bool());
    case ValueType::kInt:
      return integer(value.as_int());
    case ValueType::kDouble:
      return floating(value.as_double());
    case ValueType::kString:
      return Datum(Kind::kString, value);
    case ValueType::kArray:
      return Datum(Kind::kList, value);
    case ValueType::kMap:
      return Datum(Kind::kMap, value);
  }
  return {};
}

size_t Datum::size() const {
  if (box_ == nullptr) return value_.size();
  return kind_ == Kind::kList ? as<ListBox>().items.size() : as<MapBox>().entries.size();
}

uint64_t Datum::parts() const {
  uint64_t found = 1;
  if (kind_ == Kind::kOptional && has_value()) return optional_value().parts();
  if (kind_ == Kind::kList) found = box_ == nullptr ? value_.size() : as<ListBox>().parts;
  if (kind_ == Kind::kMap || kind_ == Kind::kObject) found = box_ == nullptr ? value_.size() : as<MapBox>().parts;
  return std::max<uint64_t>(found, 1);
}

Datum Datum::item(size_t index) const {
  return box_ == nullptr ? document(value_.items()[index]) : as<ListBox>().items[index];
}

Datum::Entry Datum::entry(size_t index) const {
  if (box_ != nullptr) return as<MapBox>().entries[index];
  const auto& found = value_.entries()[index];
  return {document(Value(found.key)), document(found.value)};
}

std::optional<Datum> Datum::find(const Datum& key) const {
  if (box_ == nullptr) {
    if (key.kind() != Kind::kString) return std::nullopt;
    const Value& found = value_.get(key.as_text());
    if (found.is_absent()) return std::nullopt;
    return document(found);
  }
  const auto& entries = as<MapBox>().entries;
  const auto at = std::ranges::lower_bound(entries, key, key_less, &Entry::key);
  if (at == entries.end() || !(at->key == key)) return std::nullopt;
  return at->value;
}

bool operator==(const Datum& a, const Datum& b) {
  if (a.is_number() && b.is_number())
    return compare_numbers(a, b) == std::partial_ordering::equivalent;
  if (a.kind_ != b.kind_) return false;
  switch (a.kind_) {
    case Kind::kNull:
      return true;
    case Kind::kList: {
      if (a.size() != b.size()) return false;
      for (size_t i = 0; i < a.size(); ++i) {
        if (!(a.item(i) == b.item(i))) return false;
      }
      return true;
    }
    case Kind::kObject:
    case Kind::kMap: {
      if (a.size() != b.size() || !(a.type_name() == b.type_name())) return false;
      for (size_t i = 0; i < a.size(); ++i) {
        const auto entry = a.entry(i);
        const auto other = b.find(entry.key);
        if (!other || !(entry.value == *other)) return false;
      }
      return true;
    }
    case Kind::kOptional:
      return a.has_value() == b.has_value() &&
             (!a.has_value() || a.optional_value() == b.optional_value());
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kType:
    case Kind::kError:
      return a.value_ == b.value_;
    case Kind::kQuantity:
    case Kind::kUrl:
    case Kind::kIp:
    case Kind::kCidr:
    case Kind::kSemver:
    case Kind::kFormat:
      return extension_equals(a, b);
    default:
      return a.number_ == b.number_ && a.nanos_ == b.nanos_;
  }
}

std::optional<std::partial_ordering> Datum::compare(const Datum& a, const Datum& b) {
  if (a.is_number() && b.is_number()) return compare_numbers(a, b);
  if (a.kind_ != b.kind_) return std::nullopt;
  switch (a.kind_) {
    case Kind::kBool:
    case Kind::kDuration:
      return a.number_ <=> b.number_;
    case Kind::kTimestamp:
      return a.as_moment() <=> b.as_moment();
    case Kind::kString:
    case Kind::kBytes:
      return a.as_text().compare(b.as_text()) <=> 0;
    default:
      return std::nullopt;
  }
}

Result<Value> Datum::to_value() const {
  switch (kind_) {
    case Kind::kNull:
      return Value(nullptr);
    case Kind::kBool:
      return Value(number_ != 0);
    case Kind::kInt:
      return Value(number_);
    case Kind::kUint:
      if (number_ < 0) return Value(static_cast<double>(as_uint()));
      return Value(number_);
    case Kind::kDouble:
      return Value(as_double());
    case Kind::kString:
      return value_;
    case Kind::kBytes:
      return Value(to_base64(as_text()));
    case Kind::kTimestamp:
      return Value(format_moment(as_moment()));
    case Kind::kDuration:
      return Value(format_seconds(as_duration()));
    case Kind::kList: {
      if (box_ == nullptr) return value_;
      std::vector<Value> items;
      for (const auto& item : as<ListBox>().items) {
        MINIK_ASSIGN(auto value, item.to_value());
        items.push_back(std::move(value));
      }
      return Value::array(std::move(items));
    }
    case Kind::kObject:
    case Kind::kMap: {
      if (box_ == nullptr) return value_;
      std::vector<MapEntry> entries;
      for (const auto& entry : as<MapBox>().entries) {
        MINIK_ASSIGN(auto value, entry.value.to_value());
        const std::string key = entry.key.kind() == Kind::kString ? std::string(entry.key.as_text())
                                                                  : entry.key.display();
        entries.push_back({Key(key), std::move(value)});
      }
      return Value::map(std::move(entries));
    }
    default:
      return Error(ErrorCode::kInvalid,
                   cat("a result of type ", type_name(), " has no form in JSON"));
  }
}

std::string Datum::display() const {
  if (kind_ == Kind::kOptional)
    return has_value() ? cat("optional.of(", optional_value().display(), ")") : "optional.none()";
  if (kind_ == Kind::kUint) return cat(as_uint());
  if (kind_ == Kind::kDouble) return format_double(as_double());
  if (kind_ == Kind::kError || kind_ == Kind::kType) return std::string(as_text());
  const auto value = to_value();
  return value ? to_json(*value) : type_name();
}

std::string Datum::type_name() const {
  switch (kind_) {
    case Kind::kNull:
      return "null_type";
    case Kind::kTimestamp:
      return "google.protobuf.Timestamp";
    case Kind::kDuration:
      return "google.protobuf.Duration";
    case Kind::kObject:
      return value_.string();
    default:
      return std::string(kind_name(kind_));
  }
}

std::string format_double(double d) {
  if (std::isnan(d)) return "NaN";
  if (std::isinf(d)) return d > 0 ? "+Inf" : "-Inf";
  char buffer[64];
  const auto exact =
      std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific);
  const std::string_view text(buffer, static_cast<size_t>(exact.ptr - buffer));
  const auto exponent_at = text.find('e');
  int exponent = 0;
  const std::string_view digits = text.substr(exponent_at + (text[exponent_at + 1] == '+' ? 2 : 1));
  std::from_chars(digits.data(), digits.data() + digits.size(), exponent);
  // Where Go's %g changes its form when it prints the shortest digits.
  if (exponent < -4 || exponent >= 6) return std::string(text);
  const auto plain = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::fixed);
  return std::string(buffer, plain.ptr);
}

std::string format_moment(Datum::Moment moment) {
  using namespace std::chrono;
  const sys_seconds at{std::chrono::seconds(moment.seconds)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss time(at - day);
  const auto padded = [](int64_t n, size_t width) {
    std::string digits = cat(n);
    return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
  };
  std::string text = cat(
      padded(static_cast<int>(date.year()), 4), "-", padded(static_cast<unsigned>(date.month()), 2),
      "-", padded(static_cast<unsigned>(date.day()), 2), "T", padded(time.hours().count(), 2), ":",
      padded(time.minutes().count(), 2), ":", padded(time.seconds().count(), 2));
  if (moment.nanos != 0) {
    std::string fraction = padded(moment.nanos, 9);
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += cat(".", fraction);
  }
  return text + "Z";
}

std::string format_seconds(Duration duration) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t whole = duration.ns / kSecond, rest = duration.ns % kSecond;
  std::string text = cat(duration.ns < 0 && whole == 0 ? "-" : "", whole);
  if (rest != 0) {
    std::string fraction = cat(rest < 0 ? -rest : rest);
    fraction.insert(0, 9 - fraction.size(), '0');
    fraction.erase(fraction.find_last_not_of('0') + 1);
    text += cat(".", fraction);
  }
  return text + "s";
}

}  // namespace minik::control::cel
