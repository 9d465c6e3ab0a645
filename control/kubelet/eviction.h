// Which pods a node agent gives up for what they have written to its disk, and in which words.
//
//   over a limit of its own (a container's or pod's ephemeral-storage, an emptyDir's sizeLimit)  -> goes, whatever the disk
//   the disk has less left than a threshold  -> unused images and remains of ended pods go first; then one pod after the other
//
// Ranked as the kubelet ranks them: pods that have written more than they asked for (ephemeral-storage) go first, then those of
// lower priority, then those that are the farthest above what they asked for; among equals the newest. Critical pods stay.
// What a pod has written is what its runtime says: writable layers, logs, and emptyDir volumes that are not in memory.
//
// Pure. Not looked at: inodes, and memory and process numbers of the node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/kubelet/container_runtime.h"
#include "control/object/value.h"

namespace minik::control {

inline constexpr std::string_view kEvictedReason = "Evicted";
// system-cluster-critical and above.
inline constexpr int64_t kCriticalPriority = 2'000'000'000;
bool is_critical(const Value& pod);

// For its own doing a pod just fails; for the node's sake it is disrupted, which its conditions say.
enum class EvictionCause : uint8_t { kOwnLimit, kNodePressure };

struct EvictionCandidate {
  Value pod;
  DiskUsage::Pod written;
};

// Hard thresholds of a disk that holds images as well as what pods write; 0: never low.
struct DiskThresholds {
  int64_t images_percent = 0;  // imagefs.available
  int64_t node_percent = 0;    // nodefs.available; so much of the disk is not given to pods
};

// What the disk is to have left, and has.
struct DiskShortage {
  int64_t threshold_bytes = 0, available_bytes = 0;
};
std::optional<DiskShortage> disk_shortage(const DiskUsage& usage, const DiskThresholds& thresholds);

// Whether anything that the pod writes is limited.
bool has_storage_limit(const Value& pod);
// The first limit that it has overstepped, as the Event and its status say it.
std::optional<std::string> exceeded_storage_limit(const EvictionCandidate& candidate);

// The index of the pod among those that are not on their way out already; nothing where none may go.
std::optional<size_t> next_to_evict(const std::vector<EvictionCandidate>& candidates);
// Why, as the Event and the pod's status say it: the containers that have written more than they asked for are named.
std::string eviction_message(const EvictionCandidate& candidate, const DiskShortage& shortage);

}  // namespace minik::control
