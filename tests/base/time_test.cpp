#include "control/base/time.h"

#include <gtest/gtest.h>

namespace minik {
namespace {

TEST(Time, FormatsAndParsesRfc3339) {
  const WallTime t{1'700'000'000'123'456'789};
  EXPECT_EQ(format_time(t), "2023-11-14T22:13:20Z");
  EXPECT_EQ(format_micro_time(t), "2023-11-14T22:13:20.123456Z");
  EXPECT_EQ(parse_time("2023-11-14T22:13:20.123456789Z"), t);
  EXPECT_EQ(parse_time("2023-11-15T00:13:20.123456789+02:00"), t);
  for (const auto* bad : {"", "2023-11-14", "2023-02-30T00:00:00Z", "2023-11-14T22:13:20",
                          "2023-11-14T22:13:20.Z", "2023-11-14T25:13:20Z"}) {
    EXPECT_FALSE(parse_time(bad)) << bad;
  }
}

TEST(Time, ParsesGoDurations) {
  EXPECT_EQ(parse_duration("1h30m"), minutes(90));
  EXPECT_EQ(parse_duration("1.5s"), milliseconds(1500));
  EXPECT_EQ(parse_duration("250ms"), milliseconds(250));
  EXPECT_EQ(parse_duration("-3m"), minutes(-3));
  EXPECT_EQ(parse_duration("0"), Duration{});
  for (const auto* bad : {"", "5", "s", "1x", "999999999999h"}) {
    EXPECT_FALSE(parse_duration(bad)) << bad;
  }
}

TEST(Time, FormatsGoDurations) {
  EXPECT_EQ(format_duration(minutes(90)), "1h30m0s");
  EXPECT_EQ(format_duration(milliseconds(1500)), "1.5s");
  EXPECT_EQ(format_duration(milliseconds(20)), "20ms");
}

TEST(Time, FormatsAgesAsKubectl) {
  EXPECT_EQ(format_age(seconds(-1)), "0s");
  EXPECT_EQ(format_age(seconds(-2)), "<invalid>");
  EXPECT_EQ(format_age(seconds(119)), "119s");
  EXPECT_EQ(format_age(seconds(200)), "3m20s");
  EXPECT_EQ(format_age(minutes(50)), "50m");
  EXPECT_EQ(format_age(hours(5)), "5h");
  EXPECT_EQ(format_age(hours(50)), "2d2h");
}

}  // namespace
}  // namespace minik
