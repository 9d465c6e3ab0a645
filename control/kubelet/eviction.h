// Which pods a node agent gives up for what they use of its node, which it does not let in, and in which words.
//
//   over a limit of its own (a container's or pod's ephemeral-storage, an emptyDir's sizeLimit)  -> goes, whatever the node has
//   the node is low on something  -> what nobody needs goes first; then one pod after the other
//   the node has been low on something lately  -> a new pod is turned away, of memory only one that asks for nothing at all
//
// Ranked as the kubelet ranks them: pods that use more than they asked for go first, then those of lower priority, then those
// that are the farthest above what they asked for; among equals the newest. For process numbers, which nobody asks for, only
// priority counts and then who has most. Critical pods stay, and are always let in.
//
// Pure. What a pod uses is what its runtime says: of the disk writable layers, logs, and emptyDir volumes that are not in
// memory; of memory the working sets of its containers.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/kubelet/container_runtime.h"
#include "control/kubelet/eviction_signals.h"
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
  std::map<std::string, int64_t> memory_bytes = {};  // by container
  int64_t processes = 0;
};

// Whether anything that the pod writes is limited.
bool has_storage_limit(const Value& pod);
// The first limit that it has overstepped, as the Event and its status say it.
std::optional<std::string> exceeded_storage_limit(const EvictionCandidate& candidate);

// The index of the pod among those that are not on their way out already; nothing where none may go.
std::optional<size_t> next_to_evict(const std::vector<EvictionCandidate>& candidates, EvictionSignal signal);
// Why, as the Event and the pod's status say it: the containers that use more than they asked for are named.
std::string eviction_message(const EvictionCandidate& candidate, const Shortage& shortage);

// Why a pod that has not begun is not let in while the node says this of itself; nothing where it is.
std::optional<std::string> refused_under_pressure(const Value& pod, const std::set<NodePressure>& pressures);

}  // namespace minik::control
