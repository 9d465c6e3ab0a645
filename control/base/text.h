// Small text helpers that the standard library of this compiler lacks: joining without a stream,
// splitting without a copy, whole-string number parsing, hexadecimal and base64.
//
// All functions are pure and locale-free. Parsers accept the whole input or nothing.
#pragma once

#include <charconv>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace minik {

// One argument of cat(): anything that reads as text or as an integer.
class TextPiece {
 public:
  TextPiece(std::string_view text) : text_(text) {}            // NOLINT: implicit by design
  TextPiece(const char* text) : text_(text) {}                 // NOLINT
  TextPiece(const std::string& text) : text_(text) {}          // NOLINT
  TextPiece(bool) = delete;  // prints 1 or 0 where somebody meant true or false
  template <typename T>
    requires(std::is_integral_v<T> && !std::is_same_v<T, char> && !std::is_same_v<T, bool>)
  TextPiece(T number)  // NOLINT
      : text_(digits_, static_cast<size_t>(std::to_chars(digits_, digits_ + sizeof digits_, number)
                                               .ptr -
                                           digits_)) {}
  TextPiece(char c) : text_(digits_, 1) { digits_[0] = c; }  // NOLINT
  TextPiece(const TextPiece&) = delete;
  TextPiece& operator=(const TextPiece&) = delete;

  std::string_view text() const { return text_; }

 private:
  char digits_[24];
  std::string_view text_;
};

std::string cat_pieces(std::initializer_list<std::string_view> pieces);

// cat("pod ", name, " has ", 3, " containers")
template <typename... Pieces>
std::string cat(const Pieces&... pieces) {
  return cat_pieces({TextPiece(pieces).text()...});
}

std::string join(const std::vector<std::string>& parts, std::string_view separator);

// Splits at every separator; "a,,b" has three parts and "" has one. The parts point into text.
std::vector<std::string_view> split(std::string_view text, char separator);

std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);

// The whole text as a decimal number; no sign for unsigned, no leading '+', no spaces.
std::optional<int64_t> parse_int64(std::string_view text);
std::optional<uint64_t> parse_uint64(std::string_view text);

std::string to_hex(std::string_view bytes);

// Standard base64 (RFC 4648 section 4) with padding; decoding is strict.
std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

// A Go %q: double quotes with escapes, as Kubernetes prints bad values.
std::string quoted(std::string_view text);

// FNV-1a, the hash of Kubernetes' pod-template-hash and of our structural hashes: small, and the
// same on every machine.
uint32_t fnv1a_32(std::string_view bytes);
uint64_t fnv1a_64(std::string_view bytes, uint64_t seed = 0xcbf29ce484222325ULL);

}  // namespace minik
