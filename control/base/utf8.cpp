#include "control/base/utf8.h"

namespace minik {

namespace {

// Bytes of a well-formed character, 0 for none.
size_t well_formed_bytes(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(at);
  if (first < 0x80) return 1;
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + bytes > text.size()) return 0;
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(at + i) & 0xc0) != 0x80) return 0;
  }
  const uint8_t second = byte(at + 1);
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool beyond = (first == 0xed && second > 0x9f) || (first == 0xf4 && second > 0x8f);
  return overlong || beyond ? 0 : bytes;
}

}  // namespace

size_t character_bytes(std::string_view text, size_t at) {
  const size_t bytes = well_formed_bytes(text, at);
  return bytes == 0 ? 1 : bytes;
}

size_t character_count(std::string_view text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size(); at += character_bytes(text, at)) ++count;
  return count;
}

size_t utf8_prefix(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t bytes = well_formed_bytes(text, at);
    if (bytes == 0) return at;
    at += bytes;
  }
  return text.size();
}

bool is_utf8(std::string_view text) {
  return utf8_prefix(text) == text.size();
}

std::string as_utf8(std::string_view text) {
  std::string out;
  while (true) {
    const size_t good = utf8_prefix(text);
    out += text.substr(0, good);
    if (good == text.size()) return out;
    append_character(out, 0xfffd);
    text.remove_prefix(good + 1);
  }
}

size_t character_offset(std::string_view text, size_t index) {
  size_t at = 0;
  while (index-- > 0 && at < text.size()) at += character_bytes(text, at);
  return at;
}

void append_character(std::string& text, uint32_t code_point) {
  const auto put = [&](uint32_t byte) { text += static_cast<char>(byte); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    put(0xe0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    put(0xf0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3f));
    put(0x80 | ((code_point >> 6) & 0x3f));
    put(0x80 | (code_point & 0x3f));
  }
}

}  // namespace minik
