#include "minik/live/pace.h"

#include <gtest/gtest.h>

namespace minik {
namespace {

constexpr Instant at(int64_t s) { return Instant{} + seconds(s); }

Speed speed(const char* text) { return *parse_speed(text); }

TEST(Pace, GoesSoManyTimesFasterThanRealTime) {
  Pace pace(speed("10x"), false, at(100));
  EXPECT_EQ(pace.allowed(at(100) + milliseconds(50), Instant{}), Instant{} + milliseconds(500));
}

TEST(Pace, SlowerThanRealTimeToo) {
  Pace pace(speed("0.5x"), false, at(100));
  EXPECT_EQ(pace.allowed(at(100) + milliseconds(50), Instant{}), Instant{} + milliseconds(25));
}

TEST(Pace, StandsStillWhilePausedAndGoesOnFromThere) {
  Pace pace(speed("1x"), true, at(0));
  EXPECT_EQ(pace.allowed(at(60), Instant{}), Instant{});
  EXPECT_EQ(pace.rest(Instant{}, at(1)), std::nullopt);
  pace.resume(at(60), Instant{});
  EXPECT_EQ(pace.allowed(at(60) + milliseconds(20), Instant{}), Instant{} + milliseconds(20));
}

TEST(Pace, DoesNotMakeGoodWhatTheMachineCouldNotDo) {
  Pace pace(speed("1000x"), false, at(0));
  // In a second a hundred virtual ones were managed: what comes next is no 900 behind.
  const Instant reached = at(100);
  EXPECT_LE(pace.allowed(at(1), reached), reached + seconds(100));
  pace.set_speed(speed("1x"), at(1), reached);
  EXPECT_EQ(pace.allowed(at(1) + milliseconds(10), reached), reached + milliseconds(10));
}

TEST(Pace, AStepEndsWhereItWasToEndAndTimeStands) {
  Pace pace(speed("1x"), false, at(0));
  pace.step(milliseconds(2500), at(10));
  EXPECT_TRUE(pace.stepping());
  EXPECT_EQ(pace.allowed(at(0), at(10)), at(11));
  EXPECT_EQ(pace.allowed(at(0), at(12)), at(12) + milliseconds(500));
  const Instant end = at(12) + milliseconds(500);
  EXPECT_EQ(pace.allowed(at(5), end), end);
  EXPECT_TRUE(pace.paused());
}

TEST(Pace, SleepsUntilTheNextThingIsDue) {
  Pace pace(speed("10x"), false, at(0));
  EXPECT_EQ(pace.rest(at(1), at(1) + milliseconds(200))->milliseconds(), 20);
  // But never so long that clocks stand still to an onlooker.
  EXPECT_EQ(pace.rest(at(1), at(1000)), milliseconds(100));
  Pace flat_out(speed("max"), false, at(0));
  EXPECT_EQ(flat_out.rest(at(1), at(1000)), Duration{});
}

TEST(Speed, IsReadAsItIsWritten) {
  for (const char* text : {"1x", "0.5x", "10x", "1.25x", "0.001x", "1000000x", "max"}) {
    EXPECT_EQ(format_speed(speed(text)), text);
  }
  EXPECT_EQ(speed("3"), speed("3x"));
  for (const char* text : {"", "x", "0x", "-1x", "1.2345x", "fast", "1e9x", "2000000x", "1.x"}) {
    EXPECT_FALSE(parse_speed(text)) << text;
  }
}

}  // namespace
}  // namespace minik
