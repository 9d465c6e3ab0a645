// TimeZone: how far local time is from UTC, at any moment. Read from the bytes of a compiled time
// zone file (TZif, RFC 9636, versions 1 to 4), whose table of changes is followed by a rule in the
// form of POSIX' TZ variable for all the years after it.
//
// TimeZones finds them by name through a source that the edge hands in: the machine's files in the
// process, nothing in the simulator, where the answer must not differ from machine to machine. UTC
// needs no source. A zone that was found is kept; one that was not is asked for again each time, so
// that a database installed later is seen.
//
// Values, control thread only; the bytes come from outside and every malformed one is an Error.
// Leap seconds (the "right/" zones) are refused: Unix time does not count them.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"

namespace minik::control {

class TimeZone {
 public:
  // All moments are seconds since the epoch, UTC; all offsets seconds east of it.
  struct Period {
    int64_t offset = 0;
    std::optional<int64_t> end;  // when another offset may begin; none: it is for ever
  };

  // UTC.
  TimeZone() = default;
  static Result<TimeZone> parse(std::string_view tzif);

  Period period_at(int64_t moment) const;

 private:
  // A day of each year and a time on it, by the clock that ends then.
  struct YearDay {
    enum class Form : uint8_t { kJulian, kDayOfYear, kWeekday } form = Form::kWeekday;
    int64_t day = 0;  // 1-365 without February 29th, 0-365 with it, or the weekday 0-6
    int64_t month = 0, week = 0;
    int64_t time = 0;

    int64_t in(int64_t year) const;
  };
  struct Rule {
    int64_t standard = 0;
    bool has_summer = false;
    int64_t summer = 0;
    YearDay begin, end;

    Period period_at(int64_t moment) const;
  };
  struct Change {
    int64_t at = 0, offset = 0;
  };
  class RuleReader;

  int64_t first_offset_ = 0;
  std::vector<Change> changes_;  // ascending
  std::optional<Rule> rule_;
};

// The bytes of the file of this zone.
using TimeZoneSource = std::function<Result<std::string>(std::string_view name)>;

class TimeZones {
 public:
  explicit TimeZones(TimeZoneSource source) : source_(std::move(source)) {}

  Result<TimeZone> find(std::string_view name);
  // Whether a name has the form of one: "Europe/Berlin", never a path out of the database.
  static bool is_name(std::string_view name);

 private:
  TimeZoneSource source_;
  std::map<std::string, TimeZone, std::less<>> known_;
};

}  // namespace minik::control
