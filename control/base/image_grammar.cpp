#include "control/base/image_grammar.h"

#include <algorithm>

#include "control/base/text.h"

namespace minik {

namespace {

constexpr size_t kTagBytesMax = 128, kIdDigits = 64;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}
bool is_word(char c) {
  return is_digit(c) || is_lower(c) || is_upper(c) || c == '_';
}

bool valid_host(std::string_view host) {
  if (host.starts_with('[')) {
    if (!host.ends_with(']') || host.size() < 4) return false;
    host = host.substr(1, host.size() - 2);
    return host.find(':') != std::string_view::npos &&
           std::all_of(host.begin(), host.end(), [](char c) { return is_hex(c) || c == ':'; });
  }
  for (const std::string_view label : split(host, '.')) {
    if (label.empty() || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(),
                     [](char c) { return (is_word(c) && c != '_') || c == '-'; })) {
      return false;
    }
  }
  return true;
}

}  // namespace

bool looks_like_registry(std::string_view first) {
  return first.find_first_of(".:") != std::string_view::npos || first == "localhost" ||
         std::any_of(first.begin(), first.end(), is_upper);
}

bool is_registry(std::string_view domain) {
  const size_t bracket = domain.rfind(']');
  const size_t colon = domain.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return valid_host(domain);
  const std::string_view port = domain.substr(colon + 1);
  return !port.empty() && port.size() <= 5 && std::all_of(port.begin(), port.end(), is_digit) &&
         valid_host(domain.substr(0, colon));
}

bool is_image_component(std::string_view text) {
  size_t at = 0;
  while (true) {
    const size_t start = at;
    while (at < text.size() && (is_lower(text[at]) || is_digit(text[at]))) ++at;
    if (at == start) return false;
    if (at == text.size()) return true;
    const char separator = text[at];
    const size_t first = at;
    while (at < text.size() && text[at] == separator) ++at;
    const size_t run = at - first;
    const bool fits =
        (separator == '.' && run == 1) || (separator == '_' && run <= 2) || separator == '-';
    if (!fits) return false;
  }
}

bool is_image_tag(std::string_view text) {
  return !text.empty() && text.size() <= kTagBytesMax && is_word(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_image_id(std::string_view text) { return text.size() == kIdDigits && std::all_of(text.begin(), text.end(), is_hex); }

}  // namespace minik
