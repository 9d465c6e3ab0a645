// Action: what the users and administrators of a simulated cluster do. Plain values; actions.h performs them.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "control/client/request.h"
#include "sim/fault.h"
#include "sim/selection.h"
#include "sim/trigger.h"

namespace minik::sim {

// As `kubectl apply --server-side`.
struct ApplyAction {
  std::vector<control::Value> objects;
};

// Also what setImage and scale mean.
struct PatchAction {
  ObjectReference target;
  control::PatchType type = control::PatchType::kStrategicMerge;
  control::Value patch;
  std::string says;  // "scale web to 5"
};

struct DeleteAction {
  ObjectReference target;
  control::PropagationPolicy propagation = control::PropagationPolicy::kUnset;
};

struct CordonAction {
  NodeChoice nodes;
  bool unschedulable = true;
};

// As `kubectl drain`: cordon, then evict what no DaemonSet owns, again and again while a budget forbids it.
struct DrainAction {
  NodeChoice nodes;
  std::optional<Duration> timeout;
  std::optional<int64_t> grace_period_seconds;
};

// Every node of a pool is drained and replaced by a new machine of its name, so many at a time.
struct UpgradePoolAction {
  std::string pool;
  int64_t max_unavailable = 1;
  Distribution replace{seconds(60), seconds(120)};
  std::optional<Duration> drain_timeout;  // then the machine goes with the pods that are left
  std::map<std::string, std::string> labels;  // which the new machines have instead of the pool's
};

struct RestartAction {
  Component component = Component::kControllers;
};

struct SetLoadAction {
  std::string image;  // an entry of `images`, by its pattern
  std::optional<int64_t> milli_cpu, requests;
};

// Machines that crashed boot, those that were cut off are connected.
struct StartNodesAction {
  NodeChoice nodes;
};
struct HealNodesAction {
  NodeChoice nodes;
};

struct InjectAction {
  Fault fault;
};

struct Action {
  using What = std::variant<ApplyAction, PatchAction, DeleteAction, CordonAction, DrainAction, UpgradePoolAction,
                            RestartAction, SetLoadAction, StartNodesAction, HealNodesAction, InjectAction>;
  Trigger trigger;
  What what;
  std::string text;   // as the file names it: "setImage"
  std::string place;  // file:line
};

}  // namespace minik::sim
