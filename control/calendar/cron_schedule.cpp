#include "control/calendar/cron_schedule.h"

#include <array>
#include <chrono>
#include <limits>
#include <span>
#include <vector>

#include "control/base/text.h"
#include "control/calendar/days.h"

namespace minik::control {

namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kYearsAhead = 5;
// WallTime ends in the year 2262.
constexpr int64_t kMomentMax = std::numeric_limits<int64_t>::max() / kSecondNs - kDaySeconds;
constexpr int64_t kMomentMin = -kMomentMax;

constexpr std::array<std::string_view, 12> kMonthNames = {"jan", "feb", "mar", "apr", "may", "jun",
                                                          "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdayNames = {"sun", "mon", "tue", "wed",
                                                           "thu", "fri", "sat"};

template <typename... Pieces>
Error invalid(const Pieces&... pieces) {
  return {ErrorCode::kInvalid, cat(pieces...)};
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (size_t at = 0; at < text.size();) {
    const size_t begin = text.find_first_not_of(" \t\n\v\f\r", at);
    if (begin == std::string_view::npos) break;
    at = std::min(text.find_first_of(" \t\n\v\f\r", begin), text.size());
    words.push_back(text.substr(begin, at - begin));
  }
  return words;
}

}  // namespace

struct CronSchedule::Bounds {
  int64_t least, most;
  std::span<const std::string_view> names;  // of the values from `least` on
};

Result<int64_t> CronSchedule::parse_value(std::string_view text, const Bounds& bounds) {
  const std::string lower = to_lower(text);
  for (size_t i = 0; i < bounds.names.size(); ++i) {
    if (lower == bounds.names[i]) return bounds.least + static_cast<int64_t>(i);
  }
  const auto value = parse_int64(text);
  if (!value) {
    return invalid("failed to parse int from ", text, ": strconv.Atoi: parsing ", quoted(text),
                   ": invalid syntax");
  }
  return *value;
}

Result<CronSchedule::Field> CronSchedule::parse_part(std::string_view text, const Bounds& bounds) {
  const auto range_and_step = split(text, '/');
  const auto low_and_high = split(range_and_step[0], '-');
  Field field;
  int64_t low = bounds.least, high = bounds.most, step = 1;
  if (low_and_high[0] == "*" || low_and_high[0] == "?") {
    field.any = true;
  } else {
    MINIK_ASSIGN(low, parse_value(low_and_high[0], bounds));
    high = low;
    if (low_and_high.size() > 2) return invalid("too many hyphens: ", text);
    if (low_and_high.size() == 2) {
      MINIK_ASSIGN(high, parse_value(low_and_high[1], bounds));
    }
  }
  if (range_and_step.size() > 2) return invalid("too many slashes: ", text);
  if (range_and_step.size() == 2) {
    MINIK_ASSIGN(step, parse_value(range_and_step[1], {0, 0, {}}));
    if (low_and_high.size() == 1) high = bounds.most;
    if (step > 1) field.any = false;
  }
  if (low < bounds.least) {
    return invalid("beginning of range (", low, ") below minimum (", bounds.least, "): ", text);
  }
  if (high > bounds.most) {
    return invalid("end of range (", high, ") above maximum (", bounds.most, "): ", text);
  }
  if (low > high) {
    return invalid("beginning of range (", low, ") beyond end of range (", high, "): ", text);
  }
  if (step <= 0) return invalid("step of range should be a positive number: ", text);
  // A longer step names the first value alone, and must not overflow.
  step = std::min(step, bounds.most + 1);
  for (int64_t value = low; value <= high; value += step) field.bits |= uint64_t{1} << value;
  return field;
}

Result<CronSchedule::Field> CronSchedule::parse_field(std::string_view text, const Bounds& bounds) {
  Field field;
  for (const auto part : split(text, ',')) {
    if (part.empty()) continue;
    MINIK_ASSIGN(const Field more, parse_part(part, bounds));
    field.bits |= more.bits;
    field.any = field.any || more.any;
  }
  return field;
}

Result<CronSchedule> CronSchedule::parse_word(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"@yearly", "0 0 1 1 *"}, {"@annually", "0 0 1 1 *"}, {"@monthly", "0 0 1 * *"},
      {"@weekly", "0 0 * * 0"}, {"@daily", "0 0 * * *"},    {"@midnight", "0 0 * * *"},
      {"@hourly", "0 * * * *"}};
  for (const auto& [word, meaning] : kWords) {
    if (text == word) return parse(meaning);
  }
  constexpr std::string_view kEvery = "@every ";
  if (!text.starts_with(kEvery)) return invalid("unrecognized descriptor: ", text);
  const std::string_view duration = text.substr(kEvery.size());
  const auto every = parse_duration(duration);
  if (!every) {
    return invalid("failed to parse duration ", text, ": time: invalid duration ",
                   quoted(duration));
  }
  CronSchedule schedule;
  schedule.every_seconds_ = std::max<int64_t>(1, every->seconds());
  return schedule;
}

Result<CronSchedule> CronSchedule::parse(std::string_view text) {
  if (text.empty()) return invalid("empty spec string");
  if (text.starts_with('@')) return parse_word(text);
  const auto words = words_of(text);
  if (words.size() != 5) {
    const std::vector<std::string> shown(words.begin(), words.end());
    return invalid("expected exactly 5 fields, found ", words.size(), ": [", join(shown, " "), "]");
  }
  CronSchedule schedule;
  MINIK_ASSIGN(schedule.minutes_, parse_field(words[0], {0, 59, {}}));
  MINIK_ASSIGN(schedule.hours_, parse_field(words[1], {0, 23, {}}));
  MINIK_ASSIGN(schedule.days_, parse_field(words[2], {1, 31, {}}));
  MINIK_ASSIGN(schedule.months_, parse_field(words[3], {1, 12, kMonthNames}));
  MINIK_ASSIGN(schedule.weekdays_, parse_field(words[4], {0, 6, kWeekdayNames}));
  return schedule;
}

bool CronSchedule::has_day(int64_t day) const {
  const bool by_number = days_.has(static_cast<unsigned>(date_of(day).day()));
  const std::chrono::weekday weekday{std::chrono::sys_days(std::chrono::days(day))};
  const bool by_weekday = weekdays_.has(weekday.c_encoding());
  return days_.any || weekdays_.any ? by_number && by_weekday : by_number || by_weekday;
}

std::optional<int64_t> CronSchedule::next_minute_of_day(int64_t minute) const {
  for (int64_t hour = minute / 60; hour < 24; ++hour) {
    if (!hours_.has(static_cast<unsigned>(hour))) continue;
    for (int64_t m = hour == minute / 60 ? minute % 60 : 0; m < 60; ++m) {
      if (minutes_.has(static_cast<unsigned>(m))) return hour * 60 + m;
    }
  }
  return std::nullopt;
}

std::optional<int64_t> CronSchedule::next_minute(int64_t from, int64_t year_max) const {
  const int64_t first = -floor_divide(-from, 60);  // the minute that begins at or after it
  int64_t minute = first - floor_divide(first, 24 * 60) * 24 * 60;
  for (int64_t day = floor_divide(first, 24 * 60);; ++day, minute = 0) {
    const auto date = date_of(day);
    if (static_cast<int>(date.year()) > year_max) return std::nullopt;
    if (!months_.has(static_cast<unsigned>(date.month()))) {
      const auto month_end = date.year() / date.month() / std::chrono::last;
      day = std::chrono::sys_days(month_end).time_since_epoch().count();
      continue;
    }
    if (!has_day(day)) continue;
    if (const auto found = next_minute_of_day(minute)) return day * kDaySeconds + *found * 60;
  }
}

std::optional<WallTime> CronSchedule::next(WallTime after, const TimeZone& zone) const {
  int64_t moment = floor_divide(after.ns, kSecondNs);
  if (moment < kMomentMin || moment > kMomentMax) return std::nullopt;
  if (every_seconds_ > 0) {
    if (every_seconds_ > kMomentMax - moment) return std::nullopt;
    return WallTime{(moment + every_seconds_) * kSecondNs};
  }
  ++moment;
  const int64_t local_day = floor_divide(moment + zone.period_at(moment).offset, kDaySeconds);
  const int64_t year_max = static_cast<int>(date_of(local_day).year()) + kYearsAhead;
  for (;;) {
    const auto period = zone.period_at(moment);
    const auto local = next_minute(moment + period.offset, year_max);
    if (!local) return std::nullopt;
    const int64_t found = *local - period.offset;
    if (!period.end || found < *period.end) {
      if (found > kMomentMax) return std::nullopt;
      return WallTime{found * kSecondNs};
    }
    moment = *period.end;
  }
}

std::optional<WallTime> CronSchedule::last_between(WallTime after, WallTime until,
                                                   const TimeZone& zone) const {
  auto found = next(after, zone);
  if (!found || *found > until) return std::nullopt;
  if (every_seconds_ > 0) {
    const int64_t step = every_seconds_ * kSecondNs;
    return *found + nanoseconds((until - *found).ns / step * step);
  }
  // A controller may have been away for a year of minutes: look back in doubling steps.
  for (int64_t back = 60; until - seconds(back) > *found; back *= 2) {
    const auto recent = next(until - seconds(back), zone);
    if (!recent || *recent > until) continue;
    found = recent;
    break;
  }
  for (auto later = found; later && *later <= until; later = next(*later, zone)) found = later;
  return found;
}

}  // namespace minik::control
