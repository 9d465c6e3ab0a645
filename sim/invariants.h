// What must hold in every run, whatever the scenario says. Each check names what it does not verify.
#pragma once

#include <optional>
#include <string>

#include "control/store/store.h"

namespace minik::sim {

// No node has more bound to it than it has: requests of the pods that have not ended against allocatable.
// Not verified: that the pods really use what they ask for.
std::optional<std::string> overcommitted_node(const control::Store& store);

// No Deployment has more pods than replicas and surge allow: the sizes of its ReplicaSets together.
// Not verified: Deployments whose spec the controller has not seen yet, paused ones, availability (nodes
// that die take it away without a rollout).
std::optional<std::string> rollout_beyond_surge(const control::Store& store);

}  // namespace minik::sim
