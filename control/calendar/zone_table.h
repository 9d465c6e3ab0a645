// The time zones by name, as the machine that built this knew them: for who may not ask the machine that runs it,
// because its answer must be the same everywhere and on any thread.
#pragma once

#include <string_view>

#include "control/calendar/time_zone.h"

namespace minik::control {

// Null for a name that is none. The first call reads the table; it never changes.
const TimeZone* zone_of_table(std::string_view name);

}  // namespace minik::control
