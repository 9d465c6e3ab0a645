// ImageBehaviour: what the containers of an image do on simulated machines. A value, as a scenario says it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/object_ref.h"
#include "sim/distribution.h"

namespace minik::sim {

// A number of bytes, or bounds between which each is drawn.
struct ByteSpread {
  int64_t min = 0, max = 0;
  int64_t draw(Rng& rng) const { return min == max ? min : min + static_cast<int64_t>(rng.below(static_cast<uint64_t>(max - min + 1))); }
};

struct ImageBehaviour {
  std::string match = "*";  // a pattern of the image's reference; '*' stands for any text
  Distribution pull{seconds(1), seconds(3)};
  bool preloaded = false;  // on every machine from the start
  bool missing = false;    // no registry has it
  int64_t image_bytes = 64 << 20;  // of a machine's disk, once it is there
  Distribution start{milliseconds(50), milliseconds(300)};
  std::string start_error;  // its program cannot be run, for this reason
  // From the start until probes succeed.
  Distribution ready{milliseconds(500), seconds(2)};
  bool never_ready = false;
  Distribution stop{milliseconds(100), milliseconds(500)};
  bool ignores_sigterm = false;  // it ends when the grace is over
  // The container ends by itself after this long.
  std::optional<Distribution> exit_after;
  int exit_code = 0;
  // It crashes: so many starts in a million right away, and while it runs after a time drawn at its start.
  uint32_t crash_at_start = 0;
  std::optional<Distribution> crash_after;
  int crash_code = 1;
  // What one container uses while it runs, beside its share of the load.
  int64_t milli_cpu = 0;
  int64_t memory_bytes = 0;
  // It grows by so much each second; at the container's limit it is killed.
  int64_t memory_growth_bytes = 0;
  bool memory_moves() const { return memory_growth_bytes > 0 || memory_per_request_bytes > 0; }
  bool uses_memory() const { return memory_bytes > 0 || memory_moves(); }
  // What a container has written to its layer at its start, and what it writes each second from then on: there, to its log,
  // and to each emptyDir that it may write to. Drawn at each start.
  ByteSpread disk_bytes, disk_growth_bytes, log_growth_bytes, volume_growth_bytes;
  bool writes() const {
    return disk_bytes.max > 0 || disk_growth_bytes.max > 0 || log_growth_bytes.max > 0 || volume_growth_bytes.max > 0;
  }
  // Work that the running containers of this image share evenly, in thousandths of a CPU.
  int64_t load_milli_cpu = 0;
  // Requests a second that they share, what each costs, and how many one container can answer; beyond that its
  // probes fail in proportion. No capacity: any number.
  int64_t load_requests = 0;
  Duration cpu_per_request;
  int64_t memory_per_request_bytes = 0;
  int64_t capacity_requests = 0;
  // It asks the API server for all objects of these kinds, so often, with the token of its pod.
  std::vector<control::KindId> lists;
  Duration list_period;
  // What it cannot do without: names, a Service with a ready endpoint ("namespace/name"), answers to what it asks the API
  // server. While that is missing it is not ready, and ends with crash_code, or spins: it wants so much CPU besides.
  bool needs_dns = false, needs_api = false;
  std::string needs_service;
  bool crashes_without = false;
  int64_t spin_milli_cpu = 0;
};

bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace minik::sim
