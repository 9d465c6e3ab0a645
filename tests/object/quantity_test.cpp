#include "control/object/quantity.h"

#include <gtest/gtest.h>

namespace minik::control {
namespace {

TEST(Quantity, WritesCanonicalText) {
  const std::pair<const char*, const char*> cases[] = {
      {"100m", "100m"},    {"0.1", "100m"},      {"1000m", "1"},  {"1024Mi", "1Gi"},
      {"1.5Gi", "1536Mi"}, {"1000k", "1M"},      {"1e3", "1e3"},  {"0", "0"},
      {"-5", "-5"},        {"1500Mi", "1500Mi"}, {"0.5Ki", "512"}};
  for (const auto& [in, out] : cases) {
    const auto q = Quantity::parse(in);
    ASSERT_TRUE(q) << in;
    EXPECT_EQ(q->text(), out) << in;
  }
}

TEST(Quantity, RoundsUpAndCompares) {
  EXPECT_EQ(Quantity::parse("1500m")->units(), 2);
  EXPECT_EQ(Quantity::parse("2")->milli(), 2000);
  EXPECT_LT(*Quantity::parse("1Ki"), *Quantity::parse("1025"));
  EXPECT_EQ((*Quantity::parse("1Gi") + *Quantity::parse("1Gi")).text(), "2Gi");
}

TEST(Quantity, RefusesWhatIsNone) {
  for (const auto* bad :
       {"", "m", "1x", "1.2.3", "1 Mi", "0x10", "99999999999999999999999999999999999999"}) {
    EXPECT_FALSE(Quantity::parse(bad)) << bad;
  }
}

TEST(Quantity, RoundsFineAmountsAwayFromZeroAndCapsBinaryOnes) {
  EXPECT_EQ(Quantity::parse("0.0000000001")->text(), "1n");
  EXPECT_EQ(Quantity::parse("-0.0000000001")->text(), "-1n");
  EXPECT_EQ(Quantity::parse("16Ei")->units(), INT64_MAX);
  EXPECT_EQ(Quantity::parse("12e-3")->text(), "12e-3");
  EXPECT_EQ(Quantity::parse("1E")->text(), "1E");
  EXPECT_EQ(Quantity::parse("1E3")->text(), "1e3");
  EXPECT_EQ(Quantity::parse("20E")->units(), INT64_MAX);
}

TEST(Quantity, TellsABadSuffixFromABadText) {
  EXPECT_EQ(Quantity::parse("1mm").error().message, "unable to parse quantity's suffix");
  EXPECT_EQ(Quantity::parse("1e").error().message, "unable to parse quantity's suffix");
  EXPECT_EQ(Quantity::parse("much").error().message.substr(0, 21), "quantities must match");
}

}  // namespace
}  // namespace minik::control
