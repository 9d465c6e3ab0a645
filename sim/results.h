// Results of runs, as other programs want them: a line of JSON for each run of a sweep, JUnit XML for CI
// services, and which expectations fail how often.
//
// Pure functions. read_result() takes lines that another process or machine has written.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "sim/run_outcome.h"

namespace minik::sim {

struct SeedResult {
  uint64_t seed = 0;
  std::vector<Finding> failed;  // empty: the run passed
  std::string trace_hash;       // empty: the run did not end
  uint64_t writes = 0;
  Duration virtual_time;
  std::string scenario;         // the SHA-256 of its text, where results of several may meet

  bool passed() const { return failed.empty() && !trace_hash.empty(); }
};

SeedResult result_of(uint64_t seed, const RunOutcome& outcome);
// A run that never came to an end, and why.
SeedResult broken_result(uint64_t seed, std::string why);

// One line, without its end.
std::string write_result(const SeedResult& result);
Result<SeedResult> read_result(std::string_view line);

// What fails, how often, and with which seed first; the most frequent first.
struct Failure {
  std::string what;
  uint64_t times = 0, first_seed = 0;
  std::string detail;  // of that seed
};
std::vector<Failure> failures_of(const std::vector<SeedResult>& results);

// Each finding of a run is a test case, or each seed of a sweep.
std::string junit_of_run(const std::string& scenario, const std::string& file, uint64_t seed, const RunOutcome& outcome);
std::string junit_of_sweep(const std::string& scenario, const std::string& file, const std::vector<SeedResult>& results);

}  // namespace minik::sim
