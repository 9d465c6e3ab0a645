#include "control/object/symbols.h"

#include <algorithm>
#include <array>
#include <vector>

#include "control/object/text_hash.h"
#include "control/object/value.h"

namespace minik::control {

// Read by Value too, inline.
constexpr std::string_view kSymbolTexts[] = {
#include "control/object/symbols.inc"
};

namespace {

constexpr auto& kSymbols = kSymbolTexts;
constexpr uint32_t kCount = std::size(kSymbols);
static_assert(std::is_sorted(std::begin(kSymbols), std::end(kSymbols)));

constexpr size_t longest_symbol() {
  size_t longest = 0;
  for (const auto text : kSymbols) longest = std::max(longest, text.size());
  return longest;
}

// Most texts are no symbols, as their first byte and length already say: names, times, numbers, addresses.
class Shapes {
 public:
  constexpr Shapes() {
    for (const auto text : kSymbols) {
      if (!text.empty()) lengths_[first(text)] |= uint64_t{1} << text.size();
    }
  }
  constexpr bool possible(std::string_view text) const {
    if (text.empty()) return std::empty(kSymbols) || kSymbols[0].empty();
    return text.size() <= kLongest && (lengths_[first(text)] >> text.size() & 1) != 0;
  }

 private:
  static constexpr size_t kLongest = longest_symbol();
  static_assert(kLongest < 64);
  static constexpr size_t first(std::string_view text) { return static_cast<unsigned char>(text[0]); }
  std::array<uint64_t, 256> lengths_{};
};
constexpr Shapes kShapes;

// Open addressing, half empty, built on first use.
class SymbolIndex {
 public:
  SymbolIndex() {
    for (uint32_t i = 0; i < kCount; ++i) {
      hashes_[i] = text_hash(kSymbols[i]);
      size_t slot = hashes_[i] % kSlots;
      while (slots_[slot] != 0) slot = (slot + 1) % kSlots;
      slots_[slot] = i + 1;
    }
  }

  std::optional<uint32_t> find(std::string_view text) const {
    if (!kShapes.possible(text)) return {};
    for (size_t slot = text_hash(text) % kSlots; slots_[slot] != 0; slot = (slot + 1) % kSlots) {
      if (kSymbols[slots_[slot] - 1] == text) return slots_[slot] - 1;
    }
    return {};
  }
  uint64_t hash(uint32_t index) const { return hashes_[index]; }

 private:
  static constexpr size_t kSlots = 16384;
  static_assert(kCount * 2 < kSlots);
  std::array<uint32_t, kSlots> slots_{};
  std::array<uint64_t, kCount> hashes_{};
};

const SymbolIndex& symbol_index() {
  static const SymbolIndex index;
  return index;
}

}  // namespace

std::optional<uint32_t> find_symbol(std::string_view text) { return symbol_index().find(text); }
std::string_view symbol_text(uint32_t index) { return kSymbols[index]; }
uint32_t symbol_count() { return kCount; }
uint64_t symbol_hash(uint32_t index) { return symbol_index().hash(index); }

}  // namespace minik::control
