// The days of the calendar, counted from the epoch, and the division that finds them: it rounds down before the epoch,
// too, where C++'s rounds up. For the seconds of a clock that shows local time as well as for those of UTC. Pure.
#pragma once

#include <chrono>
#include <cstdint>

namespace minik::control {

inline constexpr int64_t kDaySeconds = 86400;

// b is positive.
inline int64_t floor_divide(int64_t a, int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

inline std::chrono::year_month_day date_of(int64_t day) {
  return std::chrono::sys_days(std::chrono::days(day));
}

}  // namespace minik::control
