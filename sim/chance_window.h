// ChanceWindow: the part of virtual time in which chance makes the schedule. Outside of it requests and watch events
// take the mean of their delays, and what is due at one instant comes in the order in which it was asked for.
//
// `minik sim shrink` makes it as short as it can, so that a failure says when it needs bad luck. Everything is drawn
// all the same, so that what happens up to a border does not depend on where the other border is. A value.
#pragma once

#include "control/base/time.h"

namespace minik::sim {

struct ChanceWindow {
  Instant from, until{INT64_MAX};

  bool open(Instant now) const { return now >= from && now < until; }
};

}  // namespace minik::sim
