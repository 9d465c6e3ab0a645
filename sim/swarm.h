// Swarm: whole scenarios drawn from a seed: machines, workloads, changes to them, faults. Each must come to rest when
// its faults are over, and keep every invariant; nothing else is expected, so a swarm needs no author.
//
// A scenario draws which features it has at all before it draws how much of them, so that a run has few kinds of
// trouble and those hang together. Faults are drawn from all that a scenario may name (scenario/faults.cpp). What is drawn
// always fits: the workloads need at most half of the cluster, budgets let a drain go on, images exist. Pure: the same document for one seed on every machine.
#pragma once

#include <cstdint>

#include "control/object/value.h"

namespace minik::sim {

// A valid scenario as a document; its own seed is this one.
control::Value swarm_scenario(uint64_t seed);

}  // namespace minik::sim
