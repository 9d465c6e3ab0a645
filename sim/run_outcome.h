// What comes of a run, as plain values: of each expectation and each broken invariant a finding, and the trace's hash.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/base/time.h"

namespace minik::sim {

struct Finding {
  std::string what;   // the expectation or invariant
  bool held = false;
  Duration at;        // when it was met, or first broken
  std::string detail;
};

struct RunOutcome {
  std::vector<Finding> findings;
  std::string trace_hash;
  uint64_t trace_entries = 0;
  uint64_t steps = 0;
  uint64_t writes = 0;
  Duration virtual_time;
  bool passed() const;
};

}  // namespace minik::sim
