#include "control/calendar/time_zone.h"

#include <gtest/gtest.h>

#include "control/base/time.h"
#include "control/calendar/zone_table.h"
#include "zone_of.h"

namespace minik::control {
namespace {

int64_t moment(std::string_view text) {
  return parse_time(text)->ns / 1'000'000'000;
}

TEST(TimeZone, FollowsItsRuleOverTheYear) {
  const TimeZone berlin = zone_of(kBerlin);
  EXPECT_EQ(berlin.period_at(moment("2026-01-15T12:00:00Z")).offset, 3600);
  EXPECT_EQ(berlin.period_at(moment("2026-07-15T12:00:00Z")).offset, 7200);
  EXPECT_EQ(berlin.period_at(moment("2026-07-15T12:00:00Z")).end, moment("2026-10-25T01:00:00Z"));
  EXPECT_EQ(berlin.period_at(moment("2026-10-25T00:59:59Z")).offset, 7200);
  EXPECT_EQ(berlin.period_at(moment("2026-10-25T01:00:00Z")).offset, 3600);
  EXPECT_EQ(berlin.period_at(moment("2026-12-31T23:30:00Z")).end, moment("2027-03-28T01:00:00Z"));
}

TEST(TimeZone, KnowsTheSummerOfTheSouth) {
  const TimeZone sydney = zone_of("AEST-10AEDT,M10.1.0,M4.1.0/3");
  EXPECT_EQ(sydney.period_at(moment("2026-01-01T00:00:00Z")).offset, 11 * 3600);
  EXPECT_EQ(sydney.period_at(moment("2026-06-01T00:00:00Z")).offset, 10 * 3600);
}

TEST(TimeZone, KnowsRulesWithoutSummerAndWithQuotedNames) {
  EXPECT_EQ(zone_of("<+0545>-5:45").period_at(0).offset, 5 * 3600 + 45 * 60);
  EXPECT_FALSE(zone_of("<+0545>-5:45").period_at(0).end);
  // Days of the year, with and without February 29th; hours before midnight.
  const TimeZone odd = zone_of("AAA0BBB,J60/0,300/-1");
  EXPECT_EQ(odd.period_at(moment("2028-02-29T12:00:00Z")).offset, 0);
  EXPECT_EQ(odd.period_at(moment("2028-03-01T00:00:00Z")).offset, 3600);
}

TEST(TimeZone, RefusesBrokenFiles) {
  EXPECT_FALSE(TimeZone::parse(""));
  EXPECT_FALSE(TimeZone::parse("TZif2"));
  const std::string whole = zone_file(kBerlin);
  EXPECT_FALSE(TimeZone::parse(whole.substr(0, 60)));
  for (const auto* rule : {"CET", "CE-1", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-1x"}) {
    EXPECT_FALSE(TimeZone::parse(zone_file(rule))) << rule;
  }
}

TEST(TimeZones, AskTheirSourceOnceForWhatItHas) {
  int asked = 0;
  TimeZones zones([&](std::string_view name) -> Result<std::string> {
    ++asked;
    if (name != "Europe/Berlin") return Error(ErrorCode::kNotFound, "unknown time zone");
    return zone_file(kBerlin);
  });
  EXPECT_TRUE(zones.find("Europe/Berlin"));
  EXPECT_TRUE(zones.find("Europe/Berlin"));
  EXPECT_EQ(asked, 1);
  EXPECT_FALSE(zones.find("Mars/Base"));
  EXPECT_FALSE(zones.find("Mars/Base"));
  EXPECT_EQ(asked, 3);
  EXPECT_TRUE(zones.find("Etc/UTC"));
  EXPECT_EQ(asked, 3);
}

TEST(TimeZones, NeverLeaveTheDatabase) {
  for (const auto* name :
       {"", "/etc/passwd", "../passwd", "Europe/../../x", "Local", "a//b", "a b"}) {
    EXPECT_FALSE(TimeZones::is_name(name)) << name;
  }
  EXPECT_TRUE(TimeZones::is_name("America/Argentina/Buenos_Aires"));
  EXPECT_TRUE(TimeZones::is_name("Etc/GMT+5"));
}

TEST(TimeZones, WithoutASourceKnowUtcAlone) {
  TimeZones zones({});
  EXPECT_TRUE(zones.find("UTC"));
  EXPECT_EQ(zones.find("Europe/Berlin").error().message,
            "unknown time zone Europe/Berlin: only UTC is known here");
}

TEST(ZoneTable, HasTheZonesOfTheWorldWithoutAskingTheMachine) {
  const TimeZone* berlin = zone_of_table("Europe/Berlin");
  ASSERT_NE(berlin, nullptr);
  EXPECT_EQ(berlin->period_at(moment("2025-07-15T12:00:00Z")).offset, 7200);
  EXPECT_EQ(berlin->period_at(moment("2026-01-15T12:00:00Z")).offset, 3600);
  EXPECT_EQ(berlin->period_at(moment("2060-07-15T12:00:00Z")).offset, 7200) << "July 2060, by the rule at the file's end";
  ASSERT_NE(zone_of_table("US/Pacific"), nullptr) << "old names are there too";
  for (const auto* none : {"", "Europe/Nowhere", "Local", "../Europe/Berlin"}) EXPECT_EQ(zone_of_table(none), nullptr) << none;
}

}  // namespace
}  // namespace minik::control
