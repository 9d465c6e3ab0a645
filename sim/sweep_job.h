// A sweep on more machines: an Indexed Job for any Kubernetes cluster, each of whose pods runs a share of the seeds and
// prints its results, and the way back from the pods' logs to one list of results. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/results.h"

namespace minik::sim {

struct SweepJob {
  std::string name;      // of the Job and its ConfigMap; a DNS label
  std::string scenario;  // the file's text, empty for a swarm
  std::string image;     // whose entry point is minik
  std::string seeds;     // "0..9999"
  uint64_t pods = 8, parallelism = 8;
  bool swarm = false;
};

// Two documents of YAML: ConfigMap and Job.
Result<std::string> job_manifest(const SweepJob& job);

// The part of [first, last] that the index-th of `count` shards runs: neighbouring shards differ by one seed
// at the most. Nothing when there are more shards than seeds and none is left for this one.
struct SeedRange {
  uint64_t first = 0, last = 0;  // both included
};
std::optional<SeedRange> shard_of(SeedRange range, uint64_t index, uint64_t count);

struct Merged {
  std::vector<SeedResult> results;  // by seed, each once
  uint64_t ignored_lines = 0;       // that are no results: logs have others
  // Two results of one seed that are not the same: minik is not deterministic, or not the same everywhere.
  std::vector<uint64_t> disagreeing;
  std::vector<uint64_t> foreign;  // seeds whose results are not of this scenario
  std::vector<uint64_t> unasked;  // seeds that are not among those asked for
};
// Lines of logs; what stands before the result in a line, such as a pod's name, does not count. `scenario` as the results
// have it; empty: the first one's.
Merged merge_results(std::string_view logs, std::string scenario, SeedRange seeds);

// The seeds that were asked for and have no result, `limit` at the most. Results by seed.
std::vector<uint64_t> missing_seeds(const std::vector<SeedResult>& results, SeedRange seeds, size_t limit);
// "3, 7..9": seeds in their order.
std::string seeds_text(const std::vector<uint64_t>& seeds);

}  // namespace minik::sim
