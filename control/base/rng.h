// The only source of chance under control/: xoshiro256** seeded through SplitMix64, so that a stream
// is the same on every machine and compiler. No standard distribution is used (their results differ
// between libraries); every draw is integer arithmetic.
//
// Each subsystem forks its own stream by name, so that one more draw in the scheduler does not change
// what the kubelet draws. Not thread-safe: a stream belongs to the control thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "control/base/time.h"

namespace minik {

class Rng {
 public:
  explicit Rng(uint64_t seed);

  // An independent stream that depends on this one's seed and the name alone, not on how much has
  // been drawn from it.
  Rng fork(std::string_view name) const;

  uint64_t next();
  // Uniform in [0, bound); bound > 0. Unbiased.
  uint64_t below(uint64_t bound);
  // Uniform in [low, high], both included.
  int64_t between(int64_t low, int64_t high);
  Duration between(Duration low, Duration high);
  // True in `parts_per_million` of a million draws.
  bool chance_ppm(uint32_t parts_per_million);

  // Kubernetes' random suffix alphabet, without vowels and look-alikes: "bcdfghjklmnpqrstvwxz2456789".
  std::string suffix(size_t length);
  // A version 4 UUID in text.
  std::string uuid();

 private:
  uint64_t seed_;
  std::array<uint64_t, 4> state_;
};

}  // namespace minik
