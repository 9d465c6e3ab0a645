// Runs, each in a process of its own: a run is single-threaded, and a CHECK that fails ends its process. What a
// process dies of is the result of its run.
#pragma once

#include <string>
#include <vector>

#include "sim/results.h"
#include "sim/scenario.h"

namespace minik::cli {

struct RunOrder {
  const sim::Scenario* scenario = nullptr;
  uint64_t seed = 0;
};

// All at once, results in the order of the orders. What a run says on standard error is dropped: runs that
// are tried out are expected to fail.
Result<std::vector<sim::SeedResult>> run_each(const std::vector<RunOrder>& orders);

}  // namespace minik::cli
