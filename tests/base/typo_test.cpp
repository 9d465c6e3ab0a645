#include "control/base/typo.h"

#include <gtest/gtest.h>

#include <set>

namespace minik {
namespace {

const std::set<std::string> kKnown{"start", "status", "stop", "partitionNodes", "a"};

TEST(Typo, NamesTheKnownWordThatASlipOfTheHandMadeItOf) {
  EXPECT_EQ(perhaps("strat", kKnown), ", perhaps start was meant") << "neighbours swapped";
  EXPECT_EQ(perhaps("statu", kKnown), ", perhaps status was meant") << "one left out";
  EXPECT_EQ(perhaps("stopp", kKnown), ", perhaps stop was meant") << "one too many";
  EXPECT_EQ(perhaps("partitonnods", kKnown), ", perhaps partitionNodes was meant") << "three in a long word";
}

TEST(Typo, SaysNothingOfWordsThatAreLikeNone) {
  EXPECT_EQ(perhaps("helm", kKnown), "");
  EXPECT_EQ(perhaps("b", kKnown), "");
  EXPECT_EQ(perhaps("", kKnown), "");
  EXPECT_EQ(perhaps(std::string(1000, 'a'), kKnown), "") << "not typed by anybody";
}

}  // namespace
}  // namespace minik
