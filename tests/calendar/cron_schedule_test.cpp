#include "control/calendar/cron_schedule.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "zone_of.h"

namespace minik::control {
namespace {

// The moments after this one, or "never".
std::string after(std::string_view from, std::string_view schedule, int count = 1,
                  const TimeZone& zone = {}) {
  const auto parsed = CronSchedule::parse(schedule);
  if (!parsed) return parsed.error().message;
  std::vector<std::string> times;
  auto time = *parse_time(from);
  for (int i = 0; i < count; ++i) {
    const auto next = parsed->next(time, zone);
    if (!next) return "never";
    time = *next;
    times.push_back(format_time(time));
  }
  return join(times, " ");
}

TEST(CronSchedule, CountsMinutes) {
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "* * * * *"), "2026-03-01T12:01:00Z");
  EXPECT_EQ(after("2026-03-01T12:00:59.5Z", "* * * * *"), "2026-03-01T12:01:00Z");
  EXPECT_EQ(after("2026-03-01T12:14:00Z", "*/15 * * * *", 2),
            "2026-03-01T12:15:00Z 2026-03-01T12:30:00Z");
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "5/20 * * * *", 3),
            "2026-03-01T12:05:00Z 2026-03-01T12:25:00Z 2026-03-01T12:45:00Z");
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "30 6-16/4 * * 1-5", 2),
            "2026-03-02T06:30:00Z 2026-03-02T10:30:00Z");
}

TEST(CronSchedule, CrossesMonthsAndYears) {
  EXPECT_EQ(after("2026-12-31T23:59:00Z", "0 0 1 * *"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "0 0 29 Feb ?"), "2028-02-29T00:00:00Z");
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "0 0 31 * *", 2),
            "2026-03-31T00:00:00Z 2026-05-31T00:00:00Z");
}

TEST(CronSchedule, NeverComesOnDaysThatDoNotExist) {
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "59 23 31 2 *"), "never");
  EXPECT_EQ(after("2096-03-01T12:00:00Z", "0 0 29 2 *"), "never");  // eight years without it
}

TEST(CronSchedule, JoinsDaysAndWeekdaysWhenBothAreNamed) {
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "0 0 13 * FRI", 2),
            "2026-03-06T00:00:00Z 2026-03-13T00:00:00Z");
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "0 0 * * mon-tue", 3),
            "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z 2026-03-09T00:00:00Z");
  // A star with a step is a choice of its own.
  EXPECT_EQ(after("2026-03-01T12:00:00Z", "0 0 */2 * 1", 2),
            "2026-03-02T00:00:00Z 2026-03-03T00:00:00Z");
}

TEST(CronSchedule, KnowsTheWords) {
  const std::string_view now = "2026-03-04T12:34:56Z";
  EXPECT_EQ(after(now, "@hourly"), "2026-03-04T13:00:00Z");
  EXPECT_EQ(after(now, "@daily"), "2026-03-05T00:00:00Z");
  EXPECT_EQ(after(now, "@weekly"), "2026-03-08T00:00:00Z");
  EXPECT_EQ(after(now, "@monthly"), "2026-04-01T00:00:00Z");
  EXPECT_EQ(after(now, "@yearly"), "2027-01-01T00:00:00Z");
  EXPECT_EQ(after(now, "@every 1h30m"), "2026-03-04T14:04:56Z");
  EXPECT_EQ(after(now, "@every 10ms"), "2026-03-04T12:34:57Z");
}

TEST(CronSchedule, LeavesOutWhatTheClocksSkip) {
  // 02:30 does not exist on March 29th in Berlin.
  EXPECT_EQ(after("2026-03-28T12:00:00Z", "30 2 * * *", 1, zone_of(kBerlin)),
            "2026-03-30T00:30:00Z");
  EXPECT_EQ(after("2026-03-29T00:30:00Z", "0 * * * *", 2, zone_of(kBerlin)),
            "2026-03-29T01:00:00Z 2026-03-29T02:00:00Z");
}

TEST(CronSchedule, ComesTwiceWhereTheClocksShowATimeTwice) {
  EXPECT_EQ(after("2026-11-01T00:00:00Z", "30 1 * * *", 3, zone_of(kNewYork)),
            "2026-11-01T05:30:00Z 2026-11-01T06:30:00Z 2026-11-02T06:30:00Z");
}

TEST(CronSchedule, ReadsTheLocalClock) {
  EXPECT_EQ(after("2026-07-01T12:00:00Z", "0 3 * * *", 1, zone_of("<+0545>-5:45")),
            "2026-07-01T21:15:00Z");
  EXPECT_EQ(after("2026-07-01T12:00:00Z", "0 3 * * *", 1, zone_of(kBerlin)),
            "2026-07-02T01:00:00Z");
}

TEST(CronSchedule, FindsTheLastMomentOfALongAbsence) {
  const auto last = [](std::string_view schedule, std::string_view from, std::string_view until) {
    const auto found =
        CronSchedule::parse(schedule)->last_between(*parse_time(from), *parse_time(until), {});
    return found ? format_time(*found) : "none";
  };
  const std::string_view before = "2025-03-01T12:00:30Z", now = "2026-03-01T12:00:30Z";
  EXPECT_EQ(last("* * * * *", before, now), "2026-03-01T12:00:00Z");
  EXPECT_EQ(last("* 0 1 1 *", before, now), "2026-01-01T00:59:00Z");
  EXPECT_EQ(last("30 6-16/4 * * 1-5", before, now), "2026-02-27T14:30:00Z");
  EXPECT_EQ(last("@every 7m", "2026-03-01T12:00:05Z", "2026-03-01T13:00:00Z"),
            "2026-03-01T12:56:05Z");
  EXPECT_EQ(last("0 0 31 2 *", before, now), "none");
  EXPECT_EQ(last("0 13 * * *", "2026-03-01T12:00:00Z", "2026-03-01T12:59:59Z"), "none");
  EXPECT_EQ(last("0 13 * * *", "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z"),
            "2026-03-01T13:00:00Z");
}

TEST(CronSchedule, SaysWhatItCannotRead) {
  const auto error = [](std::string_view text) {
    return CronSchedule::parse(text).error().message;
  };
  EXPECT_EQ(error(""), "empty spec string");
  EXPECT_EQ(error("* * *"), "expected exactly 5 fields, found 3: [* * *]");
  EXPECT_EQ(error("60 * * * *"), "end of range (60) above maximum (59): 60");
  EXPECT_EQ(error("* * 0 * *"), "beginning of range (0) below minimum (1): 0");
  EXPECT_EQ(error("* * * * 7"), "end of range (7) above maximum (6): 7");
  EXPECT_EQ(error("5-3 * * * *"), "beginning of range (5) beyond end of range (3): 5-3");
  EXPECT_EQ(error("*/0 * * * *"), "step of range should be a positive number: */0");
  EXPECT_EQ(error("1-2-3 * * * *"), "too many hyphens: 1-2-3");
  EXPECT_EQ(error("1/2/3 * * * *"), "too many slashes: 1/2/3");
  EXPECT_EQ(error("x * * * *"),
            "failed to parse int from x: strconv.Atoi: parsing \"x\": invalid syntax");
  EXPECT_EQ(error("@noon"), "unrecognized descriptor: @noon");
  EXPECT_EQ(error("@every x"), "failed to parse duration @every x: time: invalid duration \"x\"");
}

}  // namespace
}  // namespace minik::control
