// Distribution: how long something takes, drawn for each time that it happens. Fixed, uniform,
// exponential, normal, log-normal, or a weighted choice among those.
//
// Every draw is integer arithmetic on an Rng, so that it is the same on every machine: logarithms and
// powers are taken bit by bit in 32-bit fixed point, and a normal deviate is the sum of twelve uniform
// ones (which bounds it to six deviations). Nothing drawn is negative unless the bounds are. A value.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "control/base/rng.h"
#include "control/base/time.h"

namespace minik::sim {

class Distribution {
 public:
  Distribution() = default;
  // Uniform; equal bounds are a fixed time, for which nothing is drawn.
  Distribution(Duration min, Duration max) : first_(min), second_(max) {}
  static Distribution fixed(Duration value) { return {value, value}; }
  static Distribution exponential(Duration mean) { return {Shape::kExponential, mean, mean}; }
  static Distribution normal(Duration mean, Duration deviation) { return {Shape::kNormal, mean, deviation}; }
  // Half of the draws are below the median, one in a hundred is above `p99`.
  static Distribution log_normal(Duration median, Duration p99) { return {Shape::kLogNormal, median, p99}; }

  struct Choice;
  static Distribution choice(std::vector<Choice> choices);

  Duration draw(Rng& rng) const;
  // Nothing else is ever drawn but zero.
  bool is_zero() const { return shape_ == Shape::kUniform && first_ == Duration{} && second_ == Duration{}; }

 private:
  enum class Shape : uint8_t { kUniform, kExponential, kNormal, kLogNormal, kChoice };
  Distribution(Shape shape, Duration first, Duration second) : shape_(shape), first_(first), second_(second) {}

  Shape shape_ = Shape::kUniform;
  Duration first_, second_;
  std::shared_ptr<const std::vector<Choice>> choices_;  // of kChoice; shared by all copies
};

struct Distribution::Choice {
  uint32_t weight = 1;
  Distribution of;
};

}  // namespace minik::sim
