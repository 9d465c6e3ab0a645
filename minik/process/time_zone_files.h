// The machine's time zone database (tzdata, /usr/share/zoneinfo), for CronJobs with a timeZone. A
// read of a few kilobytes on the control thread, once for each zone. A machine without the database
// knows UTC alone; the error then says so, and the CronJob shows it as an Event.
#pragma once

#include <string>
#include <string_view>

#include "control/base/result.h"

namespace minik {

// The bytes of the file of a zone; the name has been checked by TimeZones::is_name().
Result<std::string> read_time_zone_file(std::string_view name);

}  // namespace minik
