#include "control/object/time_text.h"

#include <gtest/gtest.h>

namespace minik::control {
namespace {

TEST(TimeText, IsOneTextForAllOfASecond) {
  const WallTime second = *parse_time("2026-11-23T15:02:07Z");
  TimeText times;
  const Value first = times.of(second);
  EXPECT_EQ(first.string(), "2026-11-23T15:02:07Z");
  EXPECT_TRUE(times.of(second + milliseconds(999)).same_node(first));
  EXPECT_EQ(times.of(second + seconds(1)).string(), "2026-11-23T15:02:08Z");
  EXPECT_EQ(times.of(second).string(), first.string());
}

TEST(TimeText, KeepsTheSecondsOnBothSidesOf1970Apart) {
  TimeText times;
  EXPECT_EQ(times.of(WallTime{-1}).string(), "1969-12-31T23:59:59Z");
  EXPECT_EQ(times.of(WallTime{1}).string(), "1970-01-01T00:00:00Z");
}

}  // namespace
}  // namespace minik::control
