// VolumeLimits: nodes that can attach no more volumes of a CSI driver. Kubernetes' NodeVolumeLimits.
//
// A CSINode says how many volumes each of its drivers attaches there at most. A volume counts once for a node
// however many pods there use it; a claim whose volume is still to be made counts for its class's provisioner. A
// node without a CSINode, and a driver without a number, have no limit. Counted anew for each pod that brings
// claims, and only while there are CSINodes. Reads caches, owns nothing; control thread only.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/client/object_cache.h"

namespace minik::control {

class VolumeLimits {
 public:
  using VisitPod = std::function<void(const Value& pod)>;
  // Shows the pods that stand on a node.
  using PodsOn = std::function<void(std::string_view node, const VisitPod& visit)>;
  VolumeLimits(const ObjectCache& csi_nodes, const ObjectCache& claims, const ObjectCache& volumes,
               const ObjectCache& classes, PodsOn pods_on);

  bool any() const { return csi_nodes_.size() > 0; }
  // The names of the nodes that cannot attach what the pod brings.
  std::vector<Value> full_for(const Value& pod) const;

 private:
  using Attached = std::map<std::string, std::set<std::string>, std::less<>>;  // volumes by driver
  void collect(const Value& pod, Attached& attached) const;

  const ObjectCache& csi_nodes_;
  const ObjectCache& claims_;
  const ObjectCache& volumes_;
  const ObjectCache& classes_;
  PodsOn pods_on_;
};

}  // namespace minik::control
