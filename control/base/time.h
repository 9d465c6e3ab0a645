// Time as the control plane knows it: integers in nanoseconds, never floating point.
//
// Duration is a difference. Instant is a point on the executor's monotonic line, which has no
// calendar and never goes back. WallTime is a calendar point (Unix epoch, UTC) and may jump; it is
// what creationTimestamp and conditions show. Only an Executor hands out Instants and WallTimes.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace minik {

struct Duration {
  int64_t ns = 0;

  auto operator<=>(const Duration&) const = default;
  constexpr int64_t seconds() const { return ns / 1'000'000'000; }
  constexpr int64_t milliseconds() const { return ns / 1'000'000; }
};

constexpr Duration nanoseconds(int64_t n) { return {n}; }
constexpr Duration microseconds(int64_t n) { return {n * 1'000}; }
constexpr Duration milliseconds(int64_t n) { return {n * 1'000'000}; }
constexpr Duration seconds(int64_t n) { return {n * 1'000'000'000}; }
constexpr Duration minutes(int64_t n) { return seconds(n * 60); }
constexpr Duration hours(int64_t n) { return minutes(n * 60); }

constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
constexpr Duration operator*(Duration a, int64_t factor) { return {a.ns * factor}; }
constexpr Duration operator/(Duration a, int64_t divisor) { return {a.ns / divisor}; }

struct Instant {
  int64_t ns = 0;
  auto operator<=>(const Instant&) const = default;
};

constexpr Instant operator+(Instant t, Duration d) { return {t.ns + d.ns}; }
constexpr Instant operator-(Instant t, Duration d) { return {t.ns - d.ns}; }
constexpr Duration operator-(Instant a, Instant b) { return {a.ns - b.ns}; }

struct WallTime {
  int64_t ns = 0;  // since 1970-01-01T00:00:00Z
  auto operator<=>(const WallTime&) const = default;
};

constexpr WallTime operator+(WallTime t, Duration d) { return {t.ns + d.ns}; }
constexpr WallTime operator-(WallTime t, Duration d) { return {t.ns - d.ns}; }
constexpr Duration operator-(WallTime a, WallTime b) { return {a.ns - b.ns}; }

// metav1.Time, "2026-11-23T15:02:00Z": whole seconds, UTC.
std::string format_time(WallTime time);
// metav1.MicroTime, "2026-11-23T15:02:00.000000Z".
std::string format_micro_time(WallTime time);
// RFC 3339 with nanoseconds, as container logs have it.
std::string format_nano_time(WallTime time);
// Any RFC 3339 text, with or without a fraction, with Z or an offset.
std::optional<WallTime> parse_time(std::string_view text);

// Go's time.Duration text: "1h30m", "250ms", "1.5s". Negative values carry a sign.
std::optional<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration duration);
// The short age that kubectl prints: "5s", "3m20s", "4d2h".
std::string format_age(Duration age);

}  // namespace minik
