// Conversions between types: int(), uint(), double(), string(), bytes(), bool(), dyn(), type().
#include <charconv>
#include <cmath>

#include "control/base/text.h"
#include "control/cel/overloads.h"
#include "control/base/utf8.h"

namespace minik::control::cel {

namespace {

Datum out_of_range(std::string_view type) {
  return Datum::error(cat(type, " range error"));
}

Datum double_to_int(const Call& c) {
  const double d = c[0].as_double();
  // cel-go refuses both ends of the range, where a double cannot tell its neighbours apart.
  if (!(d > -0x1p63 && d < 0x1p63)) return Datum::error("integer overflow");
  return Datum::integer(static_cast<int64_t>(d));
}

Datum double_to_uint(const Call& c) {
  const double d = c[0].as_double();
  if (!(d > -1 && d < 0x1p64)) return Datum::error("unsigned integer overflow");
  return Datum::unsigned_integer(static_cast<uint64_t>(d));
}

Datum bad_text(const Datum& text, std::string_view type) {
  return Datum::error(cat("type conversion error from 'string' to '", type,
                          "': ", quoted(text.as_text().substr(0, 64))));
}

Datum text_to_int(const Call& c) {
  std::string_view text = c[0].as_text();
  if (text.starts_with('+')) text.remove_prefix(1);
  const auto n = parse_int64(text);
  return n ? Datum::integer(*n) : bad_text(c[0], "int");
}

Datum text_to_uint(const Call& c) {
  const auto n = parse_uint64(c[0].as_text());
  return n ? Datum::unsigned_integer(*n) : bad_text(c[0], "uint");
}

Datum text_to_double(const Call& c) {
  std::string_view text = c[0].as_text();
  if (text.starts_with('+')) text.remove_prefix(1);
  double d = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), d);
  if (parsed.ec == std::errc::invalid_argument || parsed.ptr != text.data() + text.size())
    return bad_text(c[0], "double");
  if (parsed.ec == std::errc::result_out_of_range) return out_of_range("double");
  return Datum::floating(d);
}

Datum text_to_bool(const Call& c) {
  const std::string_view text = c[0].as_text();
  for (const auto yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return Datum::boolean(true);
  }
  for (const auto no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return Datum::boolean(false);
  }
  return bad_text(c[0], "bool");
}

Datum bytes_to_text(const Call& c) {
  if (!is_utf8(c[0].as_text()))
    return Datum::error("invalid UTF-8 in bytes, cannot convert to string");
  return Datum::text(c[0].as_text());
}

Datum same(const Call& c) {
  return c[0];
}

constexpr OverloadText kConversionFunctions[] = {
    {"int(int) -> int", same},
    {"int(uint) -> int",
     [](const Call& c) {
       return c[0].as_int() < 0 ? Datum::error("integer overflow") : Datum::integer(c[0].as_int());
     }},
    {"int(double) -> int", double_to_int},
    {"int(string) -> int", text_to_int},
    {"int(timestamp) -> int",
     [](const Call& c) { return Datum::integer(c[0].as_moment().seconds); }},
    {"uint(uint) -> uint", same},
    {"uint(int) -> uint",
     [](const Call& c) {
       return c[0].as_int() < 0 ? Datum::error("unsigned integer overflow")
                                : Datum::unsigned_integer(c[0].as_uint());
     }},
    {"uint(double) -> uint", double_to_uint},
    {"uint(string) -> uint", text_to_uint},
    {"double(double) -> double", same},
    {"double(int) -> double",
     [](const Call& c) { return Datum::floating(static_cast<double>(c[0].as_int())); }},
    {"double(uint) -> double",
     [](const Call& c) { return Datum::floating(static_cast<double>(c[0].as_uint())); }},
    {"double(string) -> double", text_to_double},
    {"string(string) -> string", same},
    {"string(bool) -> string",
     [](const Call& c) { return Datum::text(c[0].is_true() ? "true" : "false"); }},
    {"string(int) -> string", [](const Call& c) { return Datum::text(cat(c[0].as_int())); }},
    {"string(uint) -> string", [](const Call& c) { return Datum::text(cat(c[0].as_uint())); }},
    {"string(double) -> string",
     [](const Call& c) { return Datum::text(format_double(c[0].as_double())); }},
    {"string(bytes) -> string", bytes_to_text, Cost::kReceiver},
    {"string(timestamp) -> string",
     [](const Call& c) { return Datum::text(format_moment(c[0].as_moment())); }},
    {"string(duration) -> string",
     [](const Call& c) { return Datum::text(format_seconds(c[0].as_duration())); }},
    {"bytes(bytes) -> bytes", same},
    {"bytes(string) -> bytes", [](const Call& c) { return Datum::bytes(c[0].as_text()); },
     Cost::kReceiver},
    {"bool(bool) -> bool", same},
    {"bool(string) -> bool", text_to_bool},
    {"dyn(A) -> dyn", same},
    {"type(A) -> type", [](const Call& c) { return Datum::type(c[0].type_name()); }},
};

}  // namespace

std::span<const OverloadText> conversion_functions() {
  return kConversionFunctions;
}

}  // namespace minik::control::cel
