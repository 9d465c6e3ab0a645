// A node for a pod of a class that is seen for the first time, without an order of candidates.
//
// Making an order costs a look at every node, which pays when more pods of the class follow. A pod
// that is alone of its kind looks at as many nodes that could take it as Kubernetes does by default
// (percentageOfNodesToScore: all below 100, then a share that falls from 50 to 5 percent), starting
// where the last such search ended, and takes the best of them. A pod that names its one node, as
// those of a DaemonSet do, looks at that node alone.
//
// Only for classes without rules about other pods; whoever finds nothing here asks Candidates.
#pragma once

#include "control/scheduler/node_rules.h"
#include "control/scheduler/pod_class.h"
#include "control/scheduler/profile.h"

namespace minik::control {

// The class can be placed by quick_pick.
bool quick(const PodClass& pod_class, const Profile& profile, NodeTable& table);

// -1 when no node was found; `cursor` is where the next search starts.
int quick_pick(const PodClass& pod_class, const NodeTable& table, NodeRules& rules,
               const Profile& profile, uint64_t salt, size_t& cursor);

}  // namespace minik::control
