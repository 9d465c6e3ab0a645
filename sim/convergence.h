// Convergence: what in a cluster has not come to rest, in words. After the faults of a run everything is healed, and
// by a deadline this must be nothing.
//
// At rest are: nodes that are Ready; workloads whose controller has seen their last change and whose pods are all
// updated and available; Jobs that have ended or run with all that they may; claims that are bound or wait for their
// first pod; namespaces and other objects that are not on their way out; pods that are Ready, or have ended.
// Not looked at: custom resources, Services without endpoints, and whether what runs is what somebody meant.
#pragma once

#include <string>
#include <vector>

#include "control/store/store.h"
#include "sim/selection.h"

namespace minik::sim {

// One sentence for each object that is not at rest, workloads first: "Deployment default/web: 7 of 10 replicas are
// available". Pods whose owner is named already are not named again, up to a few that say why.
std::vector<std::string> not_converged(const control::Store& store, const std::vector<ObjectReference>& except);

}  // namespace minik::sim
