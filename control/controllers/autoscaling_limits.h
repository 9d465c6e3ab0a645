// What a HorizontalPodAutoscaler makes of a wish: stabilisation against flapping, rates of change, and the
// bounds of the spec. Pure; what happened before comes as a value that the caller keeps.
//
// Without spec.behavior: up at once, in one step to twice as many or to four, whichever is more; down to the highest
// wish of the last five minutes. With it, what it leaves open: up by four pods or doubling in 15 s, down in one step
// after five minutes.
#pragma once

#include <string>
#include <vector>

#include "control/base/time.h"
#include "control/controllers/autoscaling_metrics.h"
#include "control/object/value.h"

namespace minik::control {

struct ScalingHistory {
  struct Entry {
    WallTime at;
    int64_t value = 0;
  };
  std::vector<Entry> wishes;          // as computed, before any limit; the first is the size that was found
  std::vector<Entry> added, removed;  // what was done
};

struct LimitedWish {
  int64_t replicas = 0;
  // Of the conditions AbleToScale and ScalingLimited.
  std::string able_reason, able_message;
  bool limited = false;
  std::string limited_reason, limited_message;
};

// Remembers the wish in `history` and forgets what no rule asks for any more.
LimitedWish limit_wish(const Value& spec, int64_t current, int64_t wish, ScalingHistory& history, WallTime now);
void remember_change(ScalingHistory& history, int64_t before, int64_t after, WallTime now);

Tolerance tolerance_of(const Value& spec);

}  // namespace minik::control
