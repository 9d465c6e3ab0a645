// When a node is low on something: eviction signals, their thresholds, and what is measured against them.
//
//   memory.available                       --> MemoryPressure    100Mi
//   imagefs.available, nodefs.available    --> DiskPressure      15%, 10%
//   imagefs.inodesFree, nodefs.inodesFree  --> DiskPressure      5%, 5%
//   pid.available                          --> PIDPressure       none
//
// On the right are the thresholds of a node agent that is told nothing. All are hard: there are no soft ones with a grace, no
// minimum to reclaim, and images have the file system of everything else. Pure; text that is no threshold is an error that
// says what would be one.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "control/base/result.h"

namespace minik::control {

// In the order in which they are dealt with.
enum class EvictionSignal : uint8_t {
  kMemoryAvailable,
  kImageFsAvailable,
  kNodeFsAvailable,
  kImageFsInodesFree,
  kNodeFsInodesFree,
  kPidAvailable,
};

// What a node says of itself while it is low on something.
enum class NodePressure : uint8_t { kMemory, kDisk, kPid };
inline constexpr NodePressure kNodePressures[] = {NodePressure::kMemory, NodePressure::kDisk, NodePressure::kPid};

struct NodePressureWords {
  std::string_view condition;
  std::string_view met_reason, met_message;
  std::string_view well_reason, well_message;
  std::string_view met_event, well_event;
};
const NodePressureWords& words_of(NodePressure pressure);

std::string_view name_of(EvictionSignal signal);  // "memory.available"
// What there is too little of: "memory", "ephemeral-storage", "inodes" or "pids".
std::string_view resource_of(EvictionSignal signal);
NodePressure pressure_of(EvictionSignal signal);

// So much is to be left, as it is or in hundredths of a percent of what there is.
struct EvictionThreshold {
  int64_t quantity = 0, share = 0;
  int64_t of(int64_t capacity) const;
};
using EvictionThresholds = std::map<EvictionSignal, EvictionThreshold>;

EvictionThresholds default_eviction_thresholds();
// "100Mi" or "10%"; nothing for 0% and 100%, which turn a signal off.
Result<std::optional<EvictionThreshold>> parse_eviction_threshold(EvictionSignal signal, std::string_view text);
// As a kubelet's --eviction-hard has them: "memory.available<100Mi,nodefs.available<10%". Signals that it does not name
// have no threshold.
Result<EvictionThresholds> parse_eviction_thresholds(std::string_view text);
std::optional<EvictionSignal> eviction_signal_named(std::string_view name);
// "memory.available, …", for messages.
std::string known_eviction_signals();

struct SignalReading {
  int64_t capacity = 0, available = 0;
};
// Of what is measured.
using SignalReadings = std::map<EvictionSignal, SignalReading>;

// What a node is to have left, and has.
struct Shortage {
  EvictionSignal signal;
  int64_t threshold = 0, available = 0;
};
std::vector<Shortage> shortages(const EvictionThresholds& thresholds, const SignalReadings& readings);

}  // namespace minik::control
