// A node for a pod of a class that is seen for the first time, without an order of candidates.
//
// Making an order costs a look at every node, which pays when more pods of the class follow. A pod
// that is alone of its kind looks at as many nodes that could take it as Kubernetes does by default
// (percentageOfNodesToScore: all below 100, then a share that falls from 50 to 5 percent), starting
// where the last such search ended, and takes the best of them. A pod that names its one node, as
// those of a DaemonSet do, looks at that node alone.
//
// In two steps, so that each can be timed: which nodes could take it, and which of them is best. Only for classes
// without rules about other pods; whoever finds nothing here asks Candidates.
#pragma once

#include "control/scheduler/node_rules.h"
#include "control/scheduler/pod_class.h"
#include "control/scheduler/profile.h"

namespace minik::control {

// The class can be placed by quick_pick.
bool quick(const PodClass& pod_class, const Profile& profile, NodeTable& table);

// Fills `found`, which is the caller's so that it is not made anew for each pod; `cursor` is where the next search starts.
void quick_filter(const PodClass& pod_class, const NodeTable& table, NodeRules& rules, const Profile& profile, size_t& cursor,
                  std::vector<int>& found);
// -1 when nothing was found.
int quick_best(const PodClass& pod_class, const NodeTable& table, const NodeRules& rules, const Profile& profile, uint64_t salt,
               const std::vector<int>& found);

}  // namespace minik::control
