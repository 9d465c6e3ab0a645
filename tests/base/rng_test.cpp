#include "control/base/rng.h"

#include <gtest/gtest.h>

namespace minik {
namespace {

// Golden draws: they must never change, or every recorded seed would mean another run.
TEST(Rng, DrawsTheSameEverywhere) {
  Rng rng(7);
  const uint64_t first = rng.next();
  Rng again(7);
  EXPECT_EQ(again.next(), first);
  EXPECT_EQ(Rng(0).next(), 11091344671253066420ULL);
}

TEST(Rng, ForksDoNotDependOnWhatWasDrawn) {
  Rng a(7);
  Rng b(7);
  b.next();
  EXPECT_EQ(a.fork("x").next(), b.fork("x").next());
  EXPECT_NE(a.fork("x").next(), a.fork("y").next());
}

TEST(Rng, StaysInBounds) {
  Rng rng(1);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LT(rng.below(3), 3U);
    const int64_t n = rng.between(-2, 2);
    EXPECT_TRUE(n >= -2 && n <= 2);
  }
}

TEST(Rng, MakesVersion4Uuids) {
  const std::string uuid = Rng(3).uuid();
  ASSERT_EQ(uuid.size(), 36U);
  EXPECT_EQ(uuid[14], '4');
  EXPECT_NE(std::string("89ab").find(uuid[19]), std::string::npos);
}

}  // namespace
}  // namespace minik
