// From what pods and Events tell to how images behave: how long pulls, starts and readiness took, how containers
// ended, what they used.
//
//   Event Pulled     "Successfully pulled image … in 1.2s" --> pull
//   pod conditions   started --> ready                     --> ready
//   terminated       started --> finished, code, OOMKilled --> exitAfter, crash, memory growth
//   PodMetrics       usage                                 --> uses
//
// Containers that still run count as well: how seldom an image crashes is the time that all of its containers ran,
// over the number of crashes. Times on the wire are whole seconds. Pure functions of values, in integers.
#pragma once

#include <vector>

#include "control/base/time.h"
#include "control/object/value.h"
#include "sim/import/notes.h"

namespace minik::sim {

struct Observations {
  std::vector<control::Value> pods, events, pod_metrics;
};

// Entries of spec.images, in the order of the images' names; `now` is when the objects were exported.
std::vector<control::Value> image_behaviours(const Observations& seen, WallTime now, Notes& notes);

}  // namespace minik::sim
