// PodClass: what placement depends on of a pod, shared by all pods that want the same.
//
// Ten thousand replicas of one template ask for the same resources under the same rules, so they
// are one class: evaluated once per node, ordered once, and kept up to date by the nodes that
// change. What does not matter for placement (commands, environment, names) does not part classes;
// labels and the namespace do only where some term could tell pods apart by them.
//
// Plain data, compiled once; owned by the class's Candidates.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/scheduler/node_table.h"

namespace minik::control {

struct SpreadConstraint {
  Key topology_key;
  int64_t max_skew = 1;
  int64_t min_domains = 1;
  bool hard = false;
  bool honor_affinity = true;  // count only nodes that the pod's selector and affinity allow
  bool honor_taints = false;   // count only nodes whose taints the pod tolerates
  bool counts_itself = false;
  PodMatcher matcher;
};

struct PodAffinityTerm {
  Key topology_key;
  PodMatcher matcher;
  int64_t weight = 0;  // of a preference, negative to stay away
};

// The parts of a pod that decide its class; equal keys, same class.
struct PodClassKey {
  Value node_selector, affinity, tolerations, spread;
  Value owner;               // what spreading by default counts
  Value namespace_, labels;  // absent where nothing can tell
  Value volumes;             // rules of its claims (volume_rules.h), absent without claims
  std::vector<Value> images;
  int64_t priority = 0;
  std::shared_ptr<const PodDemand> demand;

  uint64_t hash() const;
  bool operator==(const PodClassKey& other) const;
};
PodClassKey class_key(const Value& pod, NodeTable& table);

struct PodClass {
  explicit PodClass(PodClassKey key);

  PodClassKey key;
  std::vector<PodAffinityTerm> near;   // required: beside such pods
  std::vector<PodAffinityTerm> apart;  // required: away from such pods
  std::vector<PodAffinityTerm> preferred;
  std::vector<SpreadConstraint> spread;
  bool spreads_by_default = false;
  std::string pinned;  // the only node it may go to, by name

  const PodDemand& demand() const { return *key.demand; }
};

}  // namespace minik::control
