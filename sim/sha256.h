// SHA-256 (FIPS 180-4) as lower-case hexadecimal. Pure.
#pragma once

#include <string>
#include <string_view>

namespace minik::sim {

std::string sha256_of(std::string_view bytes);

}  // namespace minik::sim
