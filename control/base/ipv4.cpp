#include "control/base/ipv4.h"

#include "control/base/text.h"

namespace minik {

std::string format_ipv4(uint32_t address) {
  return cat(address >> 24, ".", address >> 16 & 255, ".", address >> 8 & 255, ".", address & 255);
}

bool parse_ipv4(std::string_view text, uint32_t& address) {
  const auto parts = split(text, '.');
  if (parts.size() != 4) return false;
  address = 0;
  for (const auto part : parts) {
    const auto number = parse_uint64(part);
    if (!number || *number > 255 || (part.size() > 1 && part.front() == '0')) return false;
    address = address << 8 | static_cast<uint32_t>(*number);
  }
  return true;
}

}  // namespace minik
