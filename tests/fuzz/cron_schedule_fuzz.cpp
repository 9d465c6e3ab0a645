// Schedules in CronJobs. What is accepted has moments that increase, all on whole seconds.
#include "control/calendar/cron_schedule.h"

#include <cstdint>

#include "control/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const auto schedule = CronSchedule::parse({reinterpret_cast<const char*>(data), size});
  if (!schedule) return 0;
  auto moment = minik::WallTime{1'700'000'000'123'456'789};
  for (int i = 0; i < 4; ++i) {
    const auto next = schedule->next(moment, TimeZone());
    if (!next) break;
    CHECK(*next > moment) << next->ns;
    CHECK(next->ns % 1'000'000'000 == 0) << next->ns;
    moment = *next;
  }
  return 0;
}
