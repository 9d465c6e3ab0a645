// Whether a node agent lets a pod in that was sent to its node: the scheduler has asked the same before, but not of a pod
// whose maker has named the node, nor of one that others have overtaken.
//
// In the order and the words of Kubernetes' kubelet: room (pods, cpu, memory, ephemeral storage, then other resources that the
// node offers), node selector and affinity, host ports, taints that forbid to run. Resources that the node does not know are
// somebody else's matter. Pure. Not done: pods that are critical do not make others go.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

// What a pod has set aside for it, of what nearly every pod asks for.
struct PodShare {
  int64_t milli_cpu = 0, memory_bytes = 0, storage_bytes = 0;
};
PodShare share_of(const Value& pod);

// The pods that are in already.
struct NodeLoad {
  PodShare shares;  // all of them together
  std::vector<const Value*> pods;
};

struct PodRefusal {
  std::string reason, message;
};
// The Node as the API has it; without metadata only its room is known.
std::optional<PodRefusal> why_refused(const Value& pod, const Value& node, const NodeLoad& load);

}  // namespace minik::control
