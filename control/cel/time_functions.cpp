// timestamp() and duration(), their arithmetic and their parts. Time zones are offsets such as
// "+02:00" or names of the table that is part of this program: none is asked of the machine.
#include <chrono>

#include "control/base/text.h"
#include "control/base/time.h"
#include "control/calendar/zone_table.h"
#include "control/cel/overloads.h"

namespace minik::control::cel {

namespace {

using Moment = Datum::Moment;

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kFirst = -62135596800;  // 0001-01-01T00:00:00Z
constexpr int64_t kLast = 253402300799;   // 9999-12-31T23:59:59Z

Datum checked(Moment moment) {
  if (moment.seconds < kFirst || moment.seconds > kLast) return Datum::error("timestamp overflow");
  return Datum::moment(moment);
}

std::optional<int> digits(std::string_view text, size_t at, size_t count) {
  int n = 0;
  for (size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || text[i] < '0' || text[i] > '9') return std::nullopt;
    n = n * 10 + (text[i] - '0');
  }
  return n;
}

// "Z", "UTC", "+02:00", "-0330" in seconds east.
std::optional<int64_t> parse_offset(std::string_view text) {
  if (text == "Z" || text == "UTC" || text.empty()) return 0;
  const bool west = text[0] == '-';
  if (west || text[0] == '+') text.remove_prefix(1);
  if (text.size() != 5 || text[2] != ':') return std::nullopt;
  const auto hours = digits(text, 0, 2), minutes = digits(text, 3, 2);
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return std::nullopt;
  const int64_t east = *hours * 3600 + *minutes * 60;
  return west ? -east : east;
}

// The same for a moment in a zone that has a name.
std::optional<int64_t> offset_in(std::string_view zone, int64_t moment) {
  if (const auto offset = parse_offset(zone)) return offset;
  const TimeZone* known = zone_of_table(zone);
  return known ? std::optional(known->period_at(moment).offset) : std::nullopt;
}

// RFC 3339, years 1 to 9999.
std::optional<Moment> parse_moment(std::string_view text) {
  using namespace std::chrono;
  const auto y = digits(text, 0, 4), mo = digits(text, 5, 2), d = digits(text, 8, 2),
             h = digits(text, 11, 2), mi = digits(text, 14, 2), s = digits(text, 17, 2);
  if (!y || !mo || !d || !h || !mi || !s || text[4] != '-' || text[7] != '-' || text[13] != ':' ||
      text[16] != ':' || (text[10] != 'T' && text[10] != 't')) {
    return std::nullopt;
  }
  const year_month_day date{year(*y), month(static_cast<unsigned>(*mo)),
                            day(static_cast<unsigned>(*d))};
  if (!date.ok() || *h > 23 || *mi > 59 || *s > 59) return std::nullopt;
  size_t at = 19;
  int64_t nanos = 0;
  if (at < text.size() && text[at] == '.') {
    const size_t begin = ++at;
    for (int64_t unit = kSecond / 10; at < text.size() && text[at] >= '0' && text[at] <= '9';
         ++at, unit /= 10) {
      nanos += (text[at] - '0') * unit;
    }
    if (at == begin) return std::nullopt;
  }
  const std::string_view zone = text.substr(at);
  if (zone.empty() || zone == "UTC") return std::nullopt;
  const auto east = zone == "z" ? std::optional<int64_t>(0) : parse_offset(zone);
  if (!east || (zone.size() == 5)) return std::nullopt;
  const int64_t days_since = sys_days(date).time_since_epoch().count();
  return Moment{days_since * 86400 + *h * 3600 + *mi * 60 + *s - *east,
                static_cast<int32_t>(nanos)};
}

Datum text_to_moment(const Call& c) {
  const auto moment = parse_moment(c[0].as_text());
  if (!moment)
    return Datum::error(cat("invalid timestamp ", quoted(c[0].as_text().substr(0, 64)),
                            "; it must be RFC 3339 such as 2026-01-02T03:04:05Z"));
  return checked(*moment);
}

Datum text_to_duration(const Call& c) {
  const auto parsed = parse_duration(c[0].as_text());
  if (!parsed)
    return Datum::error(cat("invalid duration ", quoted(c[0].as_text().substr(0, 64)),
                            "; it must be one such as 1h30m or 250ms"));
  return Datum::duration(*parsed);
}

Datum add(Moment at, Duration by) {
  int64_t nanos = at.nanos + by.ns % kSecond;
  int64_t seconds = at.seconds + by.ns / kSecond;
  if (nanos < 0) nanos += kSecond, --seconds;
  if (nanos >= kSecond) nanos -= kSecond, ++seconds;
  return checked({seconds, static_cast<int32_t>(nanos)});
}

Datum moment_plus(const Call& c) {
  return add(c[0].as_moment(), c[1].as_duration());
}
Datum plus_moment(const Call& c) {
  return add(c[1].as_moment(), c[0].as_duration());
}
Datum moment_minus(const Call& c) {
  if (c[1].as_int() == std::numeric_limits<int64_t>::min())
    return Datum::error("duration overflow");
  return add(c[0].as_moment(), {-c[1].as_int()});
}

Datum between(const Call& c) {
  const Moment a = c[0].as_moment(), b = c[1].as_moment();
  int64_t ns = 0;
  if (__builtin_mul_overflow(a.seconds - b.seconds, kSecond, &ns) ||
      __builtin_add_overflow(ns, int64_t{a.nanos} - b.nanos, &ns)) {
    return Datum::error("duration overflow");
  }
  return Datum::duration({ns});
}

template <bool minus>
Datum add_durations(const Call& c) {
  int64_t ns = 0;
  const bool wraps = minus ? __builtin_sub_overflow(c[0].as_int(), c[1].as_int(), &ns)
                           : __builtin_add_overflow(c[0].as_int(), c[1].as_int(), &ns);
  return wraps ? Datum::error("duration overflow") : Datum::duration({ns});
}

enum class Part : uint8_t {
  kYear,
  kMonth,
  kDayOfYear,
  kDayOfMonth,
  kDate,
  kDayOfWeek,
  kHours,
  kMinutes,
  kSeconds,
  kMilliseconds
};

template <Part part>
Datum moment_part(const Call& c) {
  using namespace std::chrono;
  const Moment at = c[0].as_moment();
  int64_t east = 0;
  if (c.arguments.size() == 2) {
    const auto offset = offset_in(c[1].as_text(), at.seconds);
    if (!offset) return Datum::error(cat("unknown time zone ", c[1].as_text().substr(0, 64)));
    east = *offset;
  }
  const sys_seconds local{std::chrono::seconds(at.seconds + east)};
  const auto day = floor<days>(local);
  const year_month_day date(day);
  const hh_mm_ss time(local - day);
  const auto answer = [](int64_t n) { return Datum::integer(n); };
  switch (part) {
    case Part::kYear:
      return answer(static_cast<int>(date.year()));
    case Part::kMonth:
      return answer(static_cast<unsigned>(date.month()) - 1);
    case Part::kDayOfYear:
      return answer((day - sys_days(date.year() / January / 1)).count());
    case Part::kDayOfMonth:
      return answer(static_cast<unsigned>(date.day()) - 1);
    case Part::kDate:
      return answer(static_cast<unsigned>(date.day()));
    case Part::kDayOfWeek:
      return answer(weekday(day).c_encoding());
    case Part::kHours:
      return answer(time.hours().count());
    case Part::kMinutes:
      return answer(time.minutes().count());
    case Part::kSeconds:
      return answer(time.seconds().count());
    case Part::kMilliseconds:
      return answer(at.nanos / 1'000'000);
  }
  return {};
}

template <int64_t unit>
Datum duration_part(const Call& c) {
  return Datum::integer(c[0].as_int() / unit);
}

#define MINIK_PART(name, part)                                   \
  {"timestamp." name "() -> int", moment_part<Part::part>}, {    \
    "timestamp." name "(string) -> int", moment_part<Part::part> \
  }

constexpr OverloadText kTimeFunctions[] = {
    {"timestamp(string) -> timestamp", text_to_moment},
    {"timestamp(timestamp) -> timestamp", [](const Call& c) { return c[0]; }},
    {"timestamp(int) -> timestamp",
     [](const Call& c) {
       return checked({c[0].as_int(), 0});
     }},
    {"duration(string) -> duration", text_to_duration},
    {"duration(duration) -> duration", [](const Call& c) { return c[0]; }},
    {"_+_(timestamp, duration) -> timestamp", moment_plus},
    {"_+_(duration, timestamp) -> timestamp", plus_moment},
    {"_+_(duration, duration) -> duration", add_durations<false>},
    {"_-_(timestamp, timestamp) -> duration", between},
    {"_-_(timestamp, duration) -> timestamp", moment_minus},
    {"_-_(duration, duration) -> duration", add_durations<true>},
    MINIK_PART("getFullYear", kYear),
    MINIK_PART("getMonth", kMonth),
    MINIK_PART("getDayOfYear", kDayOfYear),
    MINIK_PART("getDayOfMonth", kDayOfMonth),
    MINIK_PART("getDate", kDate),
    MINIK_PART("getDayOfWeek", kDayOfWeek),
    MINIK_PART("getHours", kHours),
    MINIK_PART("getMinutes", kMinutes),
    MINIK_PART("getSeconds", kSeconds),
    MINIK_PART("getMilliseconds", kMilliseconds),
    {"duration.getHours() -> int", duration_part<3600 * kSecond>},
    {"duration.getMinutes() -> int", duration_part<60 * kSecond>},
    {"duration.getSeconds() -> int", duration_part<kSecond>},
    {"duration.getMilliseconds() -> int", duration_part<1'000'000>},
};
#undef MINIK_PART

}  // namespace

std::span<const OverloadText> time_functions() {
  return kTimeFunctions;
}

}  // namespace minik::control::cel
