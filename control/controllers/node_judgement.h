// What is to be made of a node, as plain functions of it: which taints it has, what its conditions become when nobody
// hears of it, and how fast the nodes of a zone may be emptied. The node lifecycle controller keeps the clock and the
// counts, and writes.
//
//   Ready    taints of the controller's own
//   True     none for that
//   False    node.kubernetes.io/not-ready       NoSchedule at once, NoExecute when its turn has come
//   Unknown  node.kubernetes.io/unreachable     likewise
//
// Beside them stand a NoSchedule taint for each pressure and for a cordon. Taints of others stay as and where they are.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::control {

struct NodeLifecycleOptions {
  Duration monitor_period = seconds(5);
  Duration grace_period = seconds(50);
  int64_t eviction_rate_per_1000_s = 100;  // 0.1 a second
  int64_t secondary_rate_per_1000_s = 10;  // 0.01 a second
  int64_t unhealthy_zone_percent = 55;
  int64_t large_zone_nodes = 50;
  // When a node that rests would have spoken last (Kubelet::spoke_at). None: all nodes say what they say.
  std::function<Instant(const std::string& node)> spoke_at;
};

// What a node agent says of its node.
inline constexpr std::string_view kOwnConditions[] = {"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"};

// The key of the taint that a node has for its condition Ready; empty when it is well.
std::string_view absence_taint(const Value& node);
bool has_taint(const Value& node, std::string_view key, std::string_view effect);

enum class Evicting : bool { kNo, kYes };
// spec.taints as they should be now, absent when there are none.
Value judged_taints(const Value& node, Evicting evicting, WallTime now);
// The node after its silence has lasted too long.
Value silent_node(const Value& node, WallTime now);

// The time from one node of the zone that is told to let its pods go to the next; none: nobody is.
std::optional<Duration> eviction_pace(int64_t nodes, int64_t silent, const NodeLifecycleOptions& options);

}  // namespace minik::control
