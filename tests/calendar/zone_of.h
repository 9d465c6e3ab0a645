// A time zone out of its rule alone, so that tests need no time zone database.
#pragma once

#include <string>
#include <string_view>

#include "control/base/text.h"
#include "control/calendar/time_zone.h"

namespace minik::control {

// The bytes of a file with one offset, this many seconds east, and a rule for ever after.
inline std::string zone_file(std::string_view rule) {
  const auto header = [] {
    std::string bytes = "TZif2";
    bytes.append(15, '\0');
    for (const char count : {'\0', '\0', '\0', '\0', '\1', '\4'}) {
      bytes.append(3, '\0').push_back(count);
    }
    return bytes;
  };
  const std::string data = std::string(6, '\0') + std::string("UTC\0", 4);
  return header() + data + header() + data + "\n" + std::string(rule) + "\n";
}

inline TimeZone zone_of(std::string_view rule) {
  return TimeZone::parse(zone_file(rule)).value();
}

inline constexpr std::string_view kBerlin = "CET-1CEST,M3.5.0,M10.5.0/3";
inline constexpr std::string_view kNewYork = "EST5EDT,M3.2.0,M11.1.0";

}  // namespace minik::control
