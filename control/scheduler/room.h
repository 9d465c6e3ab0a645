// Room: whether what a pod takes fits on a node beside what is placed and what is reserved there,
// and how full the node would be. Kubernetes' NodeResourcesFit, NodePorts,
// NodeResourcesBalancedAllocation and ImageLocality; pure functions of a node's entry, integers
// throughout.
//
// Reserved is what a nominated pod of the same or a higher priority waits for. Scores are from 0 to
// 100.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/scheduler/node_table.h"
#include "control/scheduler/profile.h"

namespace minik::control {

struct Refusal {
  std::string reason;  // in Kubernetes' words
  // Whether fewer pods on the node could change it.
  bool resolvable = false;
};

// Everything taken on the node from the view of a pod of this priority.
Resources taken_on(const NodeEntry& node, int64_t priority);

bool has_room(const PodDemand& demand, int64_t priority, const NodeEntry& node);
// The same against amounts and ports that the caller has put together.
bool fits(const Resources& wanted, const Resources& taken, const Resources& allocatable);
bool ports_are_free(const std::vector<HostPort>& wanted, const std::vector<HostPort>& taken);
// Why not: ports, or each resource that is short.
std::vector<Refusal> shortages(const PodDemand& demand, int64_t priority, const NodeEntry& node);

// The demand without what the profile does not filter by.
std::shared_ptr<const PodDemand> without_ignored(const Profile& profile, std::shared_ptr<const PodDemand> demand);

// NodeResourcesFit's and NodeResourcesBalancedAllocation's scores of the node with the pod on it. Of balance a pod that
// asks for none of the resources has nothing, on any node.
int64_t allocation_score(const Profile& profile, const PodDemand& demand, const NodeEntry& node);
int64_t balance_score(const Profile& profile, const PodDemand& demand, const NodeEntry& node);
// Megabytes that need not be pulled, damped by how few nodes have them.
int64_t image_score(const std::vector<Value>& images, const NodeTable& table, int node);

}  // namespace minik::control
