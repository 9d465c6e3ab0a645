#include "control/base/time.h"

#include <array>
#include <cmath>

#include "control/base/int128.h"
#include "control/base/text.h"

namespace minik {

namespace {

constexpr int64_t kSecond = 1'000'000'000;

struct Civil {
  int64_t year;
  int month, day;
};

// Howard Hinnant's public-domain calendar arithmetic (days_from_civil and back), proleptic Gregorian.
int64_t days_from_civil(Civil c) {
  const int64_t y = c.year - (c.month <= 2 ? 1 : 0);
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t day_of_year = (153 * (c.month + (c.month > 2 ? -3 : 9)) + 2) / 5 + c.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

Civil civil_from_days(int64_t days) {
  days += 719468;
  const int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  const int64_t day_of_era = days - era * 146097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  const int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted_month = (5 * day_of_year + 2) / 153;
  const int day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
  const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

// Writes exactly `width` digits and returns the end.
char* put_padded(char* at, int64_t number, int width) {
  for (int i = width - 1; i >= 0; --i, number /= 10) at[i] = static_cast<char>('0' + number % 10);
  return at + width;
}

std::string format(WallTime time, int fraction_digits) {
  int64_t whole = time.ns / kSecond;
  int64_t fraction = time.ns % kSecond;
  if (fraction < 0) {
    fraction += kSecond;
    --whole;
  }
  int64_t days = whole / 86400;
  int64_t second = whole % 86400;
  if (second < 0) {
    second += 86400;
    --days;
  }
  const Civil date = civil_from_days(days);
  char text[32];
  char* end = put_padded(text, date.year, 4);
  *end++ = '-';
  end = put_padded(end, date.month, 2);
  *end++ = '-';
  end = put_padded(end, date.day, 2);
  *end++ = 'T';
  end = put_padded(end, second / 3600, 2);
  *end++ = ':';
  end = put_padded(end, second / 60 % 60, 2);
  *end++ = ':';
  end = put_padded(end, second % 60, 2);
  if (fraction_digits > 0) {
    for (int i = fraction_digits; i < 9; ++i) fraction /= 10;
    *end++ = '.';
    end = put_padded(end, fraction, fraction_digits);
  }
  *end++ = 'Z';
  return std::string(text, end);
}

// Takes exactly `width` digits off the front.
std::optional<int64_t> take_digits(std::string_view& text, size_t width) {
  if (text.size() < width) return {};
  int64_t number = 0;
  for (size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return {};
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return number;
}

bool take_char(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

struct TimeUnit {
  std::string_view name;
  int64_t ns;
};
constexpr std::array<TimeUnit, 8> kUnits{{{"ns", 1},
                                       {"us", 1'000},
                                       {"\xc2\xb5s", 1'000},
                                       {"\xce\xbcs", 1'000},
                                       {"ms", 1'000'000},
                                       {"s", kSecond},
                                       {"m", 60 * kSecond},
                                       {"h", 3600 * kSecond}}};

}  // namespace

std::string format_time(WallTime time) { return format(time, 0); }
std::string format_micro_time(WallTime time) { return format(time, 6); }
std::string format_nano_time(WallTime time) { return format(time, 9); }

std::optional<WallTime> parse_time(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year || !take_char(text, '-')) return {};
  const auto month = take_digits(text, 2);
  if (!month || !take_char(text, '-')) return {};
  const auto day = take_digits(text, 2);
  if (!day || !(take_char(text, 'T') || take_char(text, 't'))) return {};
  const auto hour = take_digits(text, 2);
  if (!hour || !take_char(text, ':')) return {};
  const auto minute = take_digits(text, 2);
  if (!minute || !take_char(text, ':')) return {};
  const auto second = take_digits(text, 2);
  if (!second) return {};
  int64_t fraction = 0;
  if (take_char(text, '.')) {
    int64_t scale = kSecond;
    size_t digits = 0;
    while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
      scale /= 10;
      fraction += (text.front() - '0') * scale;
      text.remove_prefix(1);
      ++digits;
    }
    if (digits == 0) return {};
  }
  int64_t offset_seconds = 0;
  if (!take_char(text, 'Z') && !take_char(text, 'z')) {
    const int64_t sign = take_char(text, '-') ? -1 : take_char(text, '+') ? 1 : 0;
    if (sign == 0) return {};
    const auto offset_hour = take_digits(text, 2);
    if (!offset_hour || !take_char(text, ':')) return {};
    const auto offset_minute = take_digits(text, 2);
    if (!offset_minute) return {};
    offset_seconds = sign * (*offset_hour * 3600 + *offset_minute * 60);
  }
  // The year bounds keep the nanoseconds inside int64.
  if (!text.empty() || *year < 1700 || *year > 2250 || *month < 1 || *month > 12 || *day < 1 ||
      *day > 31 || *hour > 23 || *minute > 59 || *second > 60) {
    return {};
  }
  const Civil date{*year, static_cast<int>(*month), static_cast<int>(*day)};
  const int64_t days = days_from_civil(date);
  if (civil_from_days(days).day != date.day) return {};
  const int64_t whole = days * 86400 + *hour * 3600 + *minute * 60 + *second - offset_seconds;
  return WallTime{whole * kSecond + fraction};
}

std::optional<Duration> parse_duration(std::string_view text) {
  const bool negative = take_char(text, '-');
  if (!negative) take_char(text, '+');
  if (text == "0") return Duration{};
  if (text.empty()) return {};
  Int128 total = 0;
  while (!text.empty()) {
    Int128 whole = 0;
    Int128 fraction = 0, scale = 1;
    bool digits = false;
    for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
      whole = whole * 10 + (text.front() - '0');
      digits = true;
      if (whole > INT64_MAX) return {};
    }
    if (take_char(text, '.')) {
      for (; !text.empty() && text.front() >= '0' && text.front() <= '9'; text.remove_prefix(1)) {
        digits = true;
        if (scale >= kSecond * 1'000'000) continue;  // finer than any unit can show
        fraction = fraction * 10 + (text.front() - '0');
        scale *= 10;
      }
    }
    if (!digits) return {};
    const TimeUnit* unit = nullptr;
    for (const auto& candidate : kUnits) {
      if (text.starts_with(candidate.name) && (!unit || candidate.name.size() > unit->name.size())) {
        unit = &candidate;
      }
    }
    if (!unit) return {};
    text.remove_prefix(unit->name.size());
    total += whole * unit->ns + fraction * unit->ns / scale;
    if (total > INT64_MAX) return {};
  }
  const auto ns = static_cast<int64_t>(total);
  return Duration{negative ? -ns : ns};
}

std::string format_duration(Duration duration) {
  if (duration.ns == 0) return "0s";
  std::string text = duration.ns < 0 ? "-" : "";
  auto rest = static_cast<uint64_t>(duration.ns);
  if (duration.ns < 0) rest = 0 - rest;
  const auto with_fraction = [&](uint64_t value, uint64_t unit, std::string_view name) {
    text += cat(value / unit);
    if (value % unit != 0) {
      std::string fraction = cat(unit + value % unit).substr(1);
      fraction.erase(fraction.find_last_not_of('0') + 1);
      text += cat(".", fraction);
    }
    text += name;
  };
  if (rest < 1'000) return cat(text, rest, "ns");
  if (rest < 1'000'000) {
    with_fraction(rest, 1'000, "\xc2\xb5s");
    return text;
  }
  if (rest < static_cast<uint64_t>(kSecond)) {
    with_fraction(rest, 1'000'000, "ms");
    return text;
  }
  const uint64_t second = static_cast<uint64_t>(kSecond);
  if (rest >= 3600 * second) text += cat(rest / (3600 * second), "h");
  if (rest >= 60 * second) text += cat(rest / (60 * second) % 60, "m");
  with_fraction(rest % (60 * second), second, "s");
  return text;
}

std::string format_age(Duration age) {
  const int64_t s = age.seconds();
  if (s < -1) return "<invalid>";
  if (s < 0) return "0s";  // a clock that is a second behind
  if (s < 120) return cat(s, "s");
  const auto two = [](int64_t big, std::string_view big_unit, int64_t small,
                      std::string_view small_unit) {
    return small == 0 ? cat(big, big_unit) : cat(big, big_unit, small, small_unit);
  };
  const int64_t m = s / 60;
  if (m < 10) return two(m, "m", s % 60, "s");
  if (m < 180) return cat(m, "m");
  const int64_t h = m / 60;
  if (h < 8) return two(h, "h", m % 60, "m");
  if (h < 48) return cat(h, "h");
  const int64_t d = h / 24;
  if (d < 8) return two(d, "d", h % 24, "h");
  if (d < 365 * 2) return cat(d, "d");
  const int64_t y = d / 365;
  return y < 8 ? two(y, "y", d % 365, "d") : cat(y, "y");
}

}  // namespace minik
