// CronSchedule: the moments that a cron expression names, minute by minute: five fields (minute,
// hour, day of the month, month, day of the week) of lists, ranges, steps and English names, one of
// the words
// @yearly @annually @monthly @weekly @daily @midnight @hourly, or "@every <duration>".
//
//   field   = part {"," part}
//   part    = ("*" | "?" | value ["-" value]) ["/" step]      "5/20" is 5-59/20
//   weekday = 0-6 from Sunday, month = 1-12, or the first three letters of its name
//
// A day matches by its number and its weekday; when neither field begins as "*", by either of them,
// as cron has always had it. A moment belongs to the schedule when the local clock shows it: a time
// that the clocks skip in spring does not happen that day, one that they show twice in autumn
// happens twice.
//
// A pure value. The grammar, its messages and the search's end (no match within five calendar
// years) are those of the parser that Kubernetes uses, so that what one accepts the other does too.
#pragma once

#include <optional>
#include <string_view>

#include "control/base/result.h"
#include "control/base/time.h"
#include "control/calendar/time_zone.h"

namespace minik::control {

class CronSchedule {
 public:
  static Result<CronSchedule> parse(std::string_view text);

  // The first moment after this one; none for a schedule like February 31st.
  std::optional<WallTime> next(WallTime after, const TimeZone& zone) const;
  // The last moment that is later than `after` and not later than `until`. Of "@every", moments are
  // counted from `after` on.
  std::optional<WallTime> last_between(WallTime after, WallTime until, const TimeZone& zone) const;

 private:
  // Bit n stands for the value n.
  struct Field {
    uint64_t bits = 0;
    bool any = false;  // a star without a step: it leaves the choice of days to the other field
    bool has(unsigned value) const { return (bits >> value & 1) != 0; }
  };
  struct Bounds;
  static Result<Field> parse_field(std::string_view text, const Bounds& bounds);
  static Result<Field> parse_part(std::string_view text, const Bounds& bounds);
  static Result<int64_t> parse_value(std::string_view text, const Bounds& bounds);
  static Result<CronSchedule> parse_word(std::string_view text);

  bool has_day(int64_t day) const;
  // The first local minute at or after `from` that the fields name.
  std::optional<int64_t> next_minute(int64_t from, int64_t year_max) const;
  std::optional<int64_t> next_minute_of_day(int64_t minute) const;

  Field minutes_, hours_, days_, months_, weekdays_;
  int64_t every_seconds_ = 0;  // of @every; 0: the fields count
};

}  // namespace minik::control
