// Text as code points, which is how OpenAPI schemas and CEL count characters. A byte that is no UTF-8 counts as one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace minik {

// Bytes of the character that starts at `at`; at least 1.
size_t character_bytes(std::string_view text, size_t at);
size_t character_count(std::string_view text);
bool is_utf8(std::string_view text);
// Bytes before the first that is no UTF-8; the size of the text when all is well.
size_t utf8_prefix(std::string_view text);
// With U+FFFD for each byte that is no UTF-8.
std::string as_utf8(std::string_view text);
// Where the index-th character starts; the size of the text for the one behind the last.
size_t character_offset(std::string_view text, size_t index);
void append_character(std::string& text, uint32_t code_point);

}  // namespace minik
