// The hash of a text, the same on every machine with little-endian words: of string values, of symbols, of names in
// tables. Eight bytes at a time, the last eight over again where the length is no multiple of them: texts are most
// of what is ever hashed. Not for anything that an adversary fills without bound.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace minik::control {

// Finalises a 64-bit hash (Murmur3's mixer) so that nested combinations spread well.
inline uint64_t mix_hash(uint64_t h) {
  h ^= h >> 33;
  h *= 0xff51afd7ed558ccdULL;
  h ^= h >> 33;
  h *= 0xc4ceb9fe1a85ec53ULL;
  h ^= h >> 33;
  return h;
}

inline uint64_t text_hash(std::string_view text) {
  const char* const bytes = text.data();
  const size_t size = text.size();
  uint64_t h = size * 0x9e3779b97f4a7c15ULL ^ 0x53ULL;
  const auto take = [&h](uint64_t word) {
    h = (h ^ word) * 0xff51afd7ed558ccdULL;
    h ^= h >> 32;
  };
  const auto word_at = [bytes]<typename Word>(Word word, size_t at) -> uint64_t {
    std::memcpy(&word, bytes + at, sizeof word);
    return word;
  };
  if (size >= 8) {
    for (size_t at = 0; at + 8 < size; at += 8) take(word_at(uint64_t{}, at));
    take(word_at(uint64_t{}, size - 8));
  } else if (size >= 4) {
    take(word_at(uint32_t{}, 0) << 32 | word_at(uint32_t{}, size - 4));
  } else {
    for (size_t at = 0; at < size; ++at) take(static_cast<unsigned char>(bytes[at]));
  }
  return mix_hash(h);
}

}  // namespace minik::control
