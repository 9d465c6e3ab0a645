// Draws of distributions, against what their parameters promise.
#include "sim/distribution.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace minik::sim {
namespace {

std::vector<int64_t> sorted_draws(const Distribution& distribution) {
  Rng rng(5);
  std::vector<int64_t> draws;
  for (int i = 0; i < 20'000; ++i) draws.push_back(distribution.draw(rng).milliseconds());
  std::ranges::sort(draws);
  return draws;
}

int64_t mean(const std::vector<int64_t>& draws) {
  int64_t sum = 0;
  for (const auto draw : draws) sum += draw;
  return sum / static_cast<int64_t>(draws.size());
}

TEST(Distribution, HasTheMeanOrMedianThatItWasGiven) {
  EXPECT_NEAR(static_cast<double>(mean(sorted_draws(Distribution(seconds(10), seconds(30))))), 20'000, 300);
  const auto exponential = sorted_draws(Distribution::exponential(seconds(60)));
  EXPECT_NEAR(static_cast<double>(mean(exponential)), 60'000, 1500);
  EXPECT_NEAR(static_cast<double>(exponential[10'000]), 41'589, 1500) << "the mean times ln 2";
  const auto normal = sorted_draws(Distribution::normal(seconds(60), seconds(10)));
  EXPECT_NEAR(static_cast<double>(mean(normal)), 60'000, 300);
  EXPECT_NEAR(static_cast<double>(normal[16'827]), 70'000, 500) << "one deviation above: 84.13 %";
  const auto log_normal = sorted_draws(Distribution::log_normal(seconds(2), seconds(20)));
  EXPECT_NEAR(static_cast<double>(log_normal[10'000]), 2'000, 60);
  EXPECT_NEAR(static_cast<double>(log_normal[19'800]), 20'000, 2'000);
  EXPECT_GT(log_normal.front(), 0);
}

TEST(Distribution, ChoosesByWeight) {
  const auto draws = sorted_draws(Distribution::choice({{9, Distribution::fixed(seconds(1))}, {1, Distribution::fixed(seconds(9))}}));
  EXPECT_NEAR(static_cast<double>(std::ranges::count(draws, 9'000)), 2'000, 150);
}

TEST(Distribution, IsFixedOrAboveZero) {
  Rng rng(1);
  EXPECT_EQ(Distribution::fixed(seconds(3)).draw(rng), seconds(3));
  EXPECT_EQ(Distribution::normal(Duration{}, seconds(10)).draw(rng) >= Duration{}, true);
}

}  // namespace
}  // namespace minik::sim
