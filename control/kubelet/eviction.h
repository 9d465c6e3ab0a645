// Which pod a node agent gives up next when the node has run out of disk.
//
// Ranked as the kubelet ranks them, by what is known here: pods that asked for no ephemeral storage go first, then those of
// lower priority, then the newest. Critical pods stay. What each pod has really written is not known: where Kubernetes
// would take the one that wrote most, the order is by age.
//
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

inline constexpr std::string_view kEvictedReason = "Evicted";
// system-cluster-critical and above.
inline constexpr int64_t kCriticalPriority = 2'000'000'000;

// The index of the pod among those that are not on their way out already; nothing where none may go.
std::optional<size_t> next_to_evict(const std::vector<Value>& pods);

}  // namespace minik::control
