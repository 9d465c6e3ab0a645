// Resources: amounts of what a node has and a pod takes, as plain integers, so that fitting is
// comparing.
//
// A pod takes the larger of the sum of its containers (sidecars among them) and of each init
// container beside the sidecars that run by then, plus its overhead; a pod-level request replaces
// its sum (KEP-753, KEP-2837). Beside what is asked for stands what placement scores by: Kubernetes
// counts 100 millicores and 200 MiB for a container that asks for nothing, so that a hundred of
// them still spread.
//
// Values without an owner; control thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "control/object/pod_containers.h"
#include "control/object/value.h"

namespace minik::control {

struct Resources {
  int64_t milli_cpu = 0;
  int64_t memory_bytes = 0;
  int64_t ephemeral_bytes = 0;
  int64_t pods = 0;
  // With the assumed amounts of containers that ask for nothing.
  int64_t scored_milli_cpu = 0;
  int64_t scored_memory_bytes = 0;
  // Extended resources and huge pages (example.com/gpu), sorted by name.
  std::vector<std::pair<Key, int64_t>> extended;

  void add(const Resources& other, int64_t sign);
  int64_t amount(const Key& name) const;
  // Asks for neither CPU nor memory nor anything else.
  bool asks_nothing() const;
  bool operator==(const Resources&) const = default;
};

Resources pod_requests(const Value& pod_spec);
Resources node_allocatable(const Value& node);

// What one pod takes from its node.
struct PodDemand {
  Resources requests;
  std::vector<HostPort> ports;
  bool resizing = false;  // it is what one pod has, and not what its spec asks for
  bool operator==(const PodDemand&) const = default;
};

// The demand of a pod's spec, computed once for all pods that share the spec's containers.
class DemandMemo {
 public:
  std::shared_ptr<const PodDemand> of(const Value& pod_spec);
  // Of a pod that may have been resized: until its node has done so, the larger counts.
  std::shared_ptr<const PodDemand> of_pod(const Value& pod);

 private:
  struct Entry {
    Value containers, init_containers, overhead, resources;
    std::shared_ptr<const PodDemand> demand;
  };
  std::vector<Entry> entries_;  // by identity of the containers, direct-mapped
};

}  // namespace minik::control
