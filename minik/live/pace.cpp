#include "minik/live/pace.h"

#include <algorithm>

#include "control/base/text.h"

namespace minik {

namespace {

// What is done in one go at "max", and while stepping: requests come in between.
constexpr Duration kStride = seconds(1);
// Real time that is made good after a turn that took long.
constexpr Duration kDebtMax = milliseconds(100);
constexpr Duration kRestMax = milliseconds(100);
constexpr int64_t kUnit = 1000, kSpeedMax = 1'000'000 * kUnit;

}  // namespace

Result<Speed> parse_speed(std::string_view text) {
  if (text == "max") return Speed();
  const Error wrong(ErrorCode::kBadRequest,
                    cat("speed ", quoted(text), " must be a multiple of real time from 0.001x to 1000000x, or max"));
  std::string_view number = text;
  if (number.ends_with('x')) number.remove_suffix(1);
  const size_t point = number.find('.');
  const auto whole = parse_uint64(number.substr(0, point));
  if (!whole || *whole > kSpeedMax / kUnit) return wrong;
  int64_t speed = static_cast<int64_t>(*whole) * kUnit;
  if (point != std::string_view::npos) {
    const std::string_view digits = number.substr(point + 1);
    const auto fraction = parse_uint64(digits);
    if (!fraction || digits.size() > 3) return wrong;
    int64_t thousandths = static_cast<int64_t>(*fraction);
    for (size_t i = digits.size(); i < 3; ++i) thousandths *= 10;
    speed += thousandths;
  }
  if (speed < 1 || speed > kSpeedMax) return wrong;
  return Speed(speed);
}

std::string format_speed(Speed speed) {
  if (!speed) return "max";
  std::string text = cat(*speed / kUnit);
  if (*speed % kUnit != 0) {
    std::string fraction = cat(kUnit + *speed % kUnit).substr(1);
    while (fraction.ends_with('0')) fraction.pop_back();
    text += cat(".", fraction);
  }
  return text + "x";
}

void Pace::anchor(Instant real, Instant now) {
  real_anchor_ = real;
  anchor_ = now;
}

// In two parts, because nanoseconds times thousandths of days leave 64 bits.
Duration Pace::scaled(Duration real) const {
  return {real.ns / kUnit * *speed_ + real.ns % kUnit * *speed_ / kUnit};
}

void Pace::pause(Instant real, Instant now) {
  paused_ = true;
  step_end_.reset();
  anchor(real, now);
}

void Pace::resume(Instant real, Instant now) {
  paused_ = false;
  step_end_.reset();
  anchor(real, now);
}

void Pace::set_speed(Speed speed, Instant real, Instant now) {
  speed_ = speed;
  anchor(real, now);
}

void Pace::step(Duration length, Instant now) {
  paused_ = true;
  step_end_ = now + length;
}

Instant Pace::allowed(Instant real, Instant now) {
  if (step_end_) {
    if (now < *step_end_) return std::min(*step_end_, now + kStride);
    step_end_.reset();
  }
  if (paused_) {
    anchor(real, now);
    return now;
  }
  if (!speed_) return now + kStride;
  if (real - real_anchor_ > kDebtMax && anchor_ + scaled(real - real_anchor_ - kDebtMax) > now) {
    anchor(real - kDebtMax, now);
  }
  return std::max(now, anchor_ + scaled(real - real_anchor_));
}

std::optional<Duration> Pace::rest(Instant now, Instant next) const {
  if (step_end_ || (!paused_ && !speed_)) return Duration{};
  if (paused_) return std::nullopt;
  const Duration until = std::max(Duration{}, std::min(next, now + scaled(kRestMax)) - now);
  // Rounded up, so that the thread does not wake before what it waits for.
  return std::min(kRestMax, Duration{until.ns / *speed_ * kUnit + until.ns % *speed_ * kUnit / *speed_ + 1});
}

}  // namespace minik
