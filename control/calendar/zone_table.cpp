#include "control/calendar/zone_table.h"

#include <map>

#include "control/base/check.h"

namespace minik::control {

namespace {

struct ZoneEntry {
  std::string_view name, tzif;
};

#include "control/calendar/zone_table.inc"

}  // namespace

const TimeZone* zone_of_table(std::string_view name) {
  static const auto zones = [] {
    std::map<std::string_view, TimeZone> read;
    for (const auto& entry : kZones) {
      auto zone = TimeZone::parse(entry.tzif);
      CHECK(zone.ok()) << entry.name << ": " << zone.error().message;
      read.emplace(entry.name, *std::move(zone));
    }
    return read;
  }();
  const auto found = zones.find(name);
  return found == zones.end() ? nullptr : &found->second;
}

}  // namespace minik::control
