// The scheduler's predicates and scores: pure functions of a pod class and a node.
//
// A filter answers why a node cannot take the pod, in the words of Kubernetes' FailedScheduling message,
// or nothing. Scores are integers from 0 to 100, weighted as in Kubernetes' default profile:
// least allocated 1, balanced allocation 1, taint preference 3, node affinity 2, spreading 2.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/scheduler/node_table.h"
#include "control/scheduler/pod_class.h"

namespace minik::control {

// All filters that depend on the pod and this node alone: what the first that refuses has to say.
std::vector<std::string> why_not(const PodClass& pod, const NodeEntry& node);
// Only resources, each that is short: "Insufficient cpu" and its like.
std::vector<std::string> shortages(const Resources& wanted, const NodeEntry& node);

bool tolerates(const Value& tolerations, const Value& taint);
bool matches_node_selector_terms(const Value& terms, const Value& labels, std::string_view node_name);

int64_t score(const PodClass& pod, const NodeEntry& node);

}  // namespace minik::control
