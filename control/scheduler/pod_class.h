// PodClass: what the scheduler needs to know about a pod, shared by all pods that want the same.
//
// Ten thousand replicas of one template ask for the same resources under the same rules, so they are one
// class: evaluated once per node, ordered once, and kept up to date by the nodes that change. Two pods
// are of one class when the scheduling part of their specs, their namespace and their labels are equal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "control/object/object_ref.h"
#include "control/object/selector.h"
#include "control/object/value.h"

namespace minik::control {

// Amounts in the scheduler's own units; plain integers, so that fitting is comparing.
struct Resources {
  int64_t milli_cpu = 0;
  int64_t memory_bytes = 0;
  int64_t ephemeral_bytes = 0;
  int64_t pods = 0;
  // Extended resources (example.com/gpu), sorted by name.
  std::vector<std::pair<Key, int64_t>> extended;

  void add(const Resources& other, int64_t sign);
  bool operator==(const Resources&) const = default;
};

// max(sum of containers, each init container beside the sidecars before it) plus overhead, and one pod.
Resources pod_requests(const Value& pod_spec);
Resources node_allocatable(const Value& node);

struct SpreadConstraint {
  Key topology_key;
  int64_t max_skew = 1;
  bool hard = false;
  LabelSelector selector;
};

struct PodClass {
  Value spec;       // of the first pod seen
  std::string namespace_;
  Value labels;
  Resources requests;
  Value node_selector;      // map
  Value required_affinity;  // nodeSelectorTerms, or absent
  Value preferred_affinity;
  Value tolerations;
  std::vector<SpreadConstraint> spread;
  // The set or template the pods come from: what default spreading counts on one node.
  Value owner;
  std::string refusal;  // a demand that is not supported, in the words of an event; empty: none
};

PodClass make_pod_class(const Value& pod);
// Equal for pods of one class, and cheap: shared specs are compared by their cached hash.
uint64_t pod_class_hash(const Value& pod);
bool same_pod_class(const PodClass& a, const Value& pod);

}  // namespace minik::control
