// From the Nodes of a real cluster to the pools of a scenario: machines with the same capacity, labels and taints
// are one pool, whose zones are given out in turn; where zones have different numbers of them, a pool is of one zone.
//
// Simulated machines are called after their pool, so what else is imported asks which of them stands for a node.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "control/object/value.h"
#include "sim/import/notes.h"

namespace minik::sim {

struct ImportedPools {
  std::vector<control::Value> pools;               // entries of spec.nodes
  std::map<std::string, std::string> machine_of;   // by the node's name
  std::map<std::string, std::string> machine_of_host;  // by the label kubernetes.io/hostname
  std::vector<std::string> cordoned, not_ready;    // machines
};

ImportedPools pools_of(const std::vector<control::Value>& nodes, Notes& notes);

// A manifest or a patch whose node selectors, affinities and nodeNames name machines instead of nodes.
control::Value with_machine_names(const control::Value& value, const ImportedPools& pools, Notes& notes);

}  // namespace minik::sim
