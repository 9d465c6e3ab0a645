// A scenario with many seeds on all cores: one process for each job, because a run is single-threaded and a
// CHECK that fails ends its process. What it dies of is the result of its seed, and another process goes on.
#pragma once

#include <functional>
#include <vector>

#include "sim/results.h"
#include "sim/scenario.h"

namespace minik::cli {

struct SweepOptions {
  // The scenario of a seed, where each has its own; else all run the one that is given.
  std::function<Result<sim::Scenario>(uint64_t seed)> draw;
  uint64_t first = 0, last = 0;  // seeds, both included
  unsigned jobs = 1;
  // Called for each result as it comes, in no promised order; false: enough, what runs is let go.
  std::function<bool(const sim::SeedResult&)> on_result;
};

// Sorted by seed.
Result<std::vector<sim::SeedResult>> sweep(const sim::Scenario& scenario, const SweepOptions& options);

}  // namespace minik::cli
