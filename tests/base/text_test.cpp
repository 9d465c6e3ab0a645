#include "control/base/text.h"

#include <gtest/gtest.h>

namespace minik {
namespace {

TEST(Text, JoinsTextAndNumbers) { EXPECT_EQ(cat("pod ", 3, '/', std::string("x")), "pod 3/x"); }

TEST(Text, ParsesWholeNumbersOnly) {
  EXPECT_EQ(parse_int64("-12"), -12);
  EXPECT_FALSE(parse_int64("12a"));
  EXPECT_FALSE(parse_int64(""));
  EXPECT_FALSE(parse_int64("99999999999999999999"));
  EXPECT_FALSE(parse_uint64("-1"));
}

TEST(Text, RoundTripsBase64) {
  for (const std::string bytes : {"", "a", "ab", "abc", "abcd", "\xff\x01"}) {
    EXPECT_EQ(from_base64(to_base64(bytes)), bytes);
  }
  EXPECT_EQ(to_base64("ab"), "YWI=");
  EXPECT_FALSE(from_base64("YWI"));
  EXPECT_FALSE(from_base64("YW=I"));
}

TEST(Text, QuotesAsGoDoes) { EXPECT_EQ(quoted("a\"\n\x01"), "\"a\\\"\\n\\x01\""); }

TEST(Text, SplitsKeepingEmptyParts) { EXPECT_EQ(split("a,,b", ',').size(), 3U); }

// The reference values of FNV-1a.
TEST(Text, HashesAsFnv1a) {
  EXPECT_EQ(fnv1a_32("a"), 0xe40c292cU);
  EXPECT_EQ(fnv1a_64("a"), 0xaf63dc4c8601ec8cULL);
}

}  // namespace
}  // namespace minik
