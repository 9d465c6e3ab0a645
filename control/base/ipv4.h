// IPv4 addresses as numbers in host order, for allocating from ranges.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace minik {

std::string format_ipv4(uint32_t address);
// Strict dotted decimal; false leaves the address unspecified.
bool parse_ipv4(std::string_view text, uint32_t& address);

}  // namespace minik
