// The DaemonSet controller: one pod on each node that fits.
//
//   nodes x template --> a pod for each node that should run one, none on the others   (always)
//   old revision     --> deleted, at most maxUnavailable nodes without a pod           (no surge)
//                    --> a second pod beside it, on at most maxSurge nodes; the old
//                        one goes when the new one is available                        (surge)
//
// A node whose pods are not yet what the first line wants is left to it: the roll-out counts it as
// unavailable and goes on elsewhere. OnDelete leaves replacement to the user. A pod that failed is
// replaced after a back-off that doubles with each failure on its node (1 s to 15 min); this is the
// one thing remembered between reconciles, and a restart of the controller forgets it, as it does
// Kubernetes'.
//
// Decisions on a snapshot; the scheduler binds the pods, by the node affinity they carry.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "control/client/controller.h"

namespace minik::control {

// How often a set's pods failed on a node of late, by the set's uid and the node's name.
class FailedDaemonPods {
 public:
  // How long a failed pod has to stay yet; zero when it may be replaced now.
  Duration wait(const std::string& set_uid, const std::string& node, WallTime now) const;
  void count(const std::string& set_uid, const std::string& node, WallTime now);

 private:
  struct Failures {
    Duration backoff;
    WallTime last;
  };
  std::map<std::pair<std::string, std::string>, Failures> failures_;
};

Plan reconcile_daemon_set(const Snapshot& snapshot, const ObjectKey& key, Env& env,
                          FailedDaemonPods& failed);
ControllerSpec daemon_set_controller();

}  // namespace minik::control
