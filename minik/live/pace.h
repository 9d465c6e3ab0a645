// Pace: how far virtual time may have come at a moment of real time.
//
//   running at a speed   virtual = anchor + (real - anchor) * speed
//   running at "max"     as far as the machine gets
//   paused               stands
//   stepping             as fast as the machine gets to one moment, then paused
//
// Time that the machine could not keep up with is not made good later: whoever asks for a thousand times
// real time and gets three hundred has three hundred, and `1x` after it is real time at once. Pure
// arithmetic on instants that are handed in; the thread of the simulation owns it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik {

// In thousandths of real time; nothing: as fast as it goes.
using Speed = std::optional<int64_t>;

// "10x", "0.5x", "2", "max". kBadRequest with the remedy for anything else.
Result<Speed> parse_speed(std::string_view text);
std::string format_speed(Speed speed);

class Pace {
 public:
  Pace(Speed speed, bool paused, Instant real) : speed_(speed), paused_(paused), real_anchor_(real) {}

  void pause(Instant real, Instant now);
  void resume(Instant real, Instant now);
  void set_speed(Speed speed, Instant real, Instant now);
  // Stands still when it has come that far, whether it ran before or not.
  void step(Duration length, Instant now);

  // The moment that virtual time, standing at `now`, may go on to. Called again and again.
  Instant allowed(Instant real, Instant now);
  // How long the thread may sleep when nothing is due before `next`; nothing while time stands still.
  std::optional<Duration> rest(Instant now, Instant next) const;

  bool paused() const { return paused_ && !step_end_; }
  bool stepping() const { return step_end_.has_value(); }
  std::optional<Instant> step_end() const { return step_end_; }
  Speed speed() const { return speed_; }

 private:
  void anchor(Instant real, Instant now);
  Duration scaled(Duration real) const;

  Speed speed_;
  bool paused_;
  std::optional<Instant> step_end_;
  Instant real_anchor_, anchor_;
};

}  // namespace minik
