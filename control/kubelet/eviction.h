// Which pod a node agent gives up next when the node has run out of disk.
//
// Ranked as the kubelet ranks them: pods that have written more than they asked for (ephemeral-storage) go first, then those of
// lower priority, then those that are the farthest above what they asked for; among equals the newest. Critical pods stay.
// What a pod has written is what its runtime says of its containers: their writable layers and logs. Volumes do not count.
//
// Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

inline constexpr std::string_view kEvictedReason = "Evicted";
// system-cluster-critical and above.
inline constexpr int64_t kCriticalPriority = 2'000'000'000;

struct EvictionCandidate {
  Value pod;
  std::map<std::string, int64_t> written_bytes;  // by container
};

// The index of the pod among those that are not on their way out already; nothing where none may go.
std::optional<size_t> next_to_evict(const std::vector<EvictionCandidate>& candidates);
// Why, as the Event and the pod's status say it: the containers that have written more than they asked for are named.
std::string eviction_message(const EvictionCandidate& candidate);

}  // namespace minik::control
