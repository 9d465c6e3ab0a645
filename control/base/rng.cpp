#include "control/base/rng.h"

#include <bit>

#include "control/base/check.h"
#include "control/base/int128.h"
#include "control/base/text.h"

namespace minik {

namespace {

uint64_t split_mix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

}  // namespace

Rng::Rng(uint64_t seed) : seed_(seed) {
  uint64_t state = seed;
  for (auto& word : state_) word = split_mix(state);
}

Rng Rng::fork(std::string_view name) const {
  uint64_t state = seed_ ^ fnv1a_64(name);
  return Rng(split_mix(state));
}

uint64_t Rng::next() {
  const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const uint64_t shifted = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= shifted;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

uint64_t Rng::below(uint64_t bound) {
  CHECK(bound > 0);
  // Lemire's multiplication with rejection of the biased low part.
  const uint64_t threshold = (0 - bound) % bound;
  for (;;) {
    const auto product = static_cast<Uint128>(next()) * bound;
    if (static_cast<uint64_t>(product) >= threshold) return static_cast<uint64_t>(product >> 64);
  }
}

int64_t Rng::between(int64_t low, int64_t high) {
  CHECK(low <= high) << low << " > " << high;
  const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low) + 1;
  const uint64_t draw = span == 0 ? next() : below(span);
  return static_cast<int64_t>(static_cast<uint64_t>(low) + draw);
}

Duration Rng::between(Duration low, Duration high) { return {between(low.ns, high.ns)}; }

bool Rng::chance_ppm(uint32_t parts_per_million) { return below(1'000'000) < parts_per_million; }

std::string Rng::suffix(size_t length) {
  constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string text(length, ' ');
  for (char& c : text) c = kAlphabet[below(kAlphabet.size())];
  return text;
}

std::string Rng::uuid() {
  constexpr char kHex[] = "0123456789abcdef";
  uint64_t high = next();
  uint64_t low = next();
  high = (high & ~0xf000ULL) | 0x4000ULL;              // version 4
  low = (low & ~(3ULL << 62)) | (2ULL << 62);          // RFC 4122 variant
  std::string text(36, '-');
  size_t at = 0;
  for (int digit = 0; digit < 32; ++digit) {
    if (digit == 8 || digit == 12 || digit == 16 || digit == 20) ++at;
    const uint64_t word = digit < 16 ? high : low;
    text[at++] = kHex[word >> (60 - 4 * (digit % 16)) & 15];
  }
  return text;
}

}  // namespace minik
