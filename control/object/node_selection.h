// Which nodes a pod may stand on by its own word: tolerations against taints, and the node selector
// with the required node affinity against labels and the node's name.
//
// The words of Kubernetes' core/v1 (Toleration, Taint, NodeSelectorTerm) as pure functions on
// documents, shared by the scheduler, which asks for every pod, and the DaemonSet controller, which
// asks for every node. What is placed on a node, and how much a pod likes it, is not their matter.
#pragma once

#include <string_view>

#include "control/object/value.h"

namespace minik::control {

bool tolerates(const Value& tolerations, const Value& taint);
// The first NoSchedule or NoExecute taint that is not tolerated, or absent.
const Value& untolerated_taint(const Value& tolerations, const Value& taints);
// A NodeSelectorTerm; an empty one matches nothing.
bool matches_node_term(const Value& term, const Value& node_labels, std::string_view node_name);
// spec.nodeSelector and the required node affinity.
bool matches_node_affinity(const Value& node_selector, const Value& affinity,
                           const Value& node_labels, std::string_view node_name);

}  // namespace minik::control
