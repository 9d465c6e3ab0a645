// Time zone files. Whatever the file says, a period holds the moment that it was asked for.
#include "control/calendar/time_zone.h"

#include <cstdint>

#include "control/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const auto zone = TimeZone::parse({reinterpret_cast<const char*>(data), size});
  if (!zone) return 0;
  for (const int64_t moment :
       {-5'000'000'000, 0L, 1'700'000'000L, 1'772'000'000L, 9'000'000'000L}) {
    const auto period = zone->period_at(moment);
    CHECK(!period.end || *period.end > moment) << moment << " is not before " << *period.end;
  }
  return 0;
}
