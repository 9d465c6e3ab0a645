#include "sim/distribution.h"

#include <algorithm>
#include <array>
#include <bit>

#include "control/base/int128.h"

namespace minik::sim {

namespace {

// Fixed point with 32 bits behind the point.
constexpr int kPoint = 32;
constexpr int64_t kOne = int64_t{1} << kPoint;
constexpr int64_t kLn2 = 2'977'044'472;       // ln 2
constexpr int64_t kZ99 = 9'991'509'312;       // the deviations below which 99 of 100 normal deviates are: 2.3263
constexpr Duration kLongestDraw = hours(24 * 365);

int64_t multiply(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<Int128>(a) * b >> kPoint); }

// log2 of a number above 0, in fixed point.
int64_t log2_of(uint64_t x) {
  const int whole = 63 - std::countl_zero(x);
  // The mantissa in [1, 2) with 32 bits behind the point; squaring it yields a bit of the fraction.
  uint64_t mantissa = whole >= kPoint ? x >> (whole - kPoint) : x << (kPoint - whole);
  int64_t fraction = 0;
  for (int bit = kPoint - 1; bit >= 0; --bit) {
    mantissa = static_cast<uint64_t>(static_cast<Uint128>(mantissa) * mantissa >> kPoint);
    if (mantissa >= uint64_t{2} << kPoint) {
      mantissa >>= 1;
      fraction |= int64_t{1} << bit;
    }
  }
  return (int64_t{whole} << kPoint) + fraction;
}

// 2^(1/2), 2^(1/4), 2^(1/8)…, by Newton's method on integers.
std::array<uint64_t, kPoint> make_roots() {
  std::array<uint64_t, kPoint> roots{};
  uint64_t last = uint64_t{2} << kPoint;
  for (auto& root : roots) {
    const Uint128 square = static_cast<Uint128>(last) << kPoint;
    uint64_t guess = last;
    for (int i = 0; i < 64; ++i) {
      const auto next = static_cast<uint64_t>((guess + square / guess) / 2);
      if (next >= guess) break;
      guess = next;
    }
    last = root = guess;
  }
  return roots;
}

// 2^exponent of a fixed-point number, within what fits.
int64_t exp2_of(int64_t exponent) {
  static const auto roots = make_roots();
  const int64_t whole = std::clamp<int64_t>(exponent >> kPoint, -kPoint, 29);
  const auto fraction = static_cast<uint64_t>(exponent & (kOne - 1));
  uint64_t result = static_cast<uint64_t>(kOne);
  for (int bit = 0; bit < kPoint; ++bit) {
    if (fraction >> (kPoint - 1 - bit) & 1) {
      result = static_cast<uint64_t>(static_cast<Uint128>(result) * roots[static_cast<size_t>(bit)] >> kPoint);
    }
  }
  return static_cast<int64_t>(whole >= 0 ? result << whole : result >> -whole);
}

int64_t normal_deviate(Rng& rng) {
  int64_t sum = -6 * kOne;
  for (int i = 0; i < 12; ++i) sum += static_cast<int64_t>(rng.next() >> kPoint);
  return sum;
}

Duration scaled(Duration by, int64_t factor) {
  const Int128 ns = static_cast<Int128>(by.ns) * factor >> kPoint;
  return ns >= kLongestDraw.ns ? kLongestDraw : std::max(Duration{static_cast<int64_t>(ns)}, Duration{});
}

}  // namespace

Distribution Distribution::choice(std::vector<Choice> choices) {
  Distribution result(Shape::kChoice, {}, {});
  result.choices_ = std::make_shared<const std::vector<Choice>>(std::move(choices));
  return result;
}

Duration Distribution::draw(Rng& rng) const {
  switch (shape_) {
    case Shape::kUniform: return first_ == second_ ? first_ : rng.between(first_, second_);
    case Shape::kExponential: {
      // -ln of a uniform number in (0, 1]
      const int64_t halvings = (int64_t{64} << kPoint) - log2_of(std::max<uint64_t>(rng.next(), 1));
      return scaled(first_, multiply(halvings, kLn2));
    }
    case Shape::kNormal: return std::max(Duration{first_.ns + multiply(second_.ns, normal_deviate(rng))}, Duration{});
    case Shape::kLogNormal: {
      const int64_t ratio = log2_of(static_cast<uint64_t>(std::max<int64_t>(second_.ns, 1))) -
                            log2_of(static_cast<uint64_t>(std::max<int64_t>(first_.ns, 1)));
      const auto deviation = static_cast<int64_t>((static_cast<Int128>(ratio) << kPoint) / kZ99);
      return scaled(first_, exp2_of(multiply(deviation, normal_deviate(rng))));
    }
    case Shape::kChoice: {
      uint64_t total = 0;
      for (const auto& choice : *choices_) total += choice.weight;
      if (total == 0) return {};
      uint64_t at = rng.below(total);
      for (const auto& choice : *choices_) {
        if (at < choice.weight) return choice.of.draw(rng);
        at -= choice.weight;
      }
      return {};
    }
  }
  return {};
}

}  // namespace minik::sim
