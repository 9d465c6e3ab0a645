// Node lifecycle: what the cluster makes of a node that falls silent or says that it is not well.
//
// Every 5 s it compares each node's Lease with the one it saw before. A node without a sign of life
// for the grace period becomes Ready=Unknown, gets the NoSchedule taint at once and the NoExecute
// taint at the pace of its zone: 0.1 nodes a second, 0.01 when at least 55 % of a zone of more than
// 50 nodes is silent, none in a smaller zone in that state, and none at all while every zone is
// dark, which also takes back the NoExecute taints that are there. Its pods become Ready=False, so that Services leave them. A node that speaks again loses
// the taints. Cordoned nodes and nodes under pressure get the NoSchedule taints that say so. Nodes that
// come and go leave an Event; those that are there when it starts anew do not.
// Control thread only; what it remembers (when a Lease was last seen to move) it learns again after
// a restart.
#pragma once

#include <memory>

#include "control/client/controller.h"
#include "control/controllers/node_judgement.h"

namespace minik::control {

class NodeLifecycle {
 public:
  NodeLifecycle(Executor& executor, Client& client, InformerSet& informers, EventRecorder& events,
                MetricRegistry& metrics, NodeLifecycleOptions options = {});
  ~NodeLifecycle();
  NodeLifecycle(const NodeLifecycle&) = delete;
  NodeLifecycle& operator=(const NodeLifecycle&) = delete;

  void start();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minik::control
