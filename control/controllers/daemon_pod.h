// DaemonPod: what the pods of one DaemonSet look like, and which nodes they belong on.
//
// The pod is the set's template with the tolerations that every daemon has, and with a required
// node affinity on metadata.name of its one node in place of the template's own terms: those were
// asked here already, and the default scheduler does the binding. A node should run the pod when
// the template's selector and affinity match it and every NoSchedule and NoExecute taint is
// tolerated; a pod that runs there stays under NoSchedule taints, and goes under NoExecute taints.
//
// A value made for one reconcile; pure.
#pragma once

#include <string>
#include <string_view>

#include "control/object/value.h"

namespace minik::control {

struct NodeVerdict {
  bool should_run = false;
  bool may_stay = false;
  bool operator==(const NodeVerdict&) const = default;
};

class DaemonPod {
 public:
  explicit DaemonPod(const Value& daemon_set);

  NodeVerdict judge(const Value& node) const;
  // Ready to be created, but for the owner and the revision.
  Value on_node(std::string_view node_name) const;

 private:
  Value pod_template_;
  Value tolerations_;
  std::string generate_name_;
  Value namespace_;
};

// Where a pod is, or where its affinity sends it; empty for neither.
std::string_view daemon_node_of(const Value& pod);

}  // namespace minik::control
