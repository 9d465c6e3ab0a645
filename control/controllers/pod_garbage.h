// Pod garbage collection: pods that nobody else will ever delete.
//
// Pods bound to a node that has been gone for 40 s (it may come back, or the cache may be late),
// pods that wait for their end on a node that is not ready and marked out of service, and of the
// ended pods the oldest beyond a threshold. They are deleted with no grace, after DisruptionTarget
// (DeletionByPodGC) and the phase Failed say why. Looks every 20 s, over nodes and not over pods.
//
// One decision with a memory: since when each missing node has been missed. Lost at a restart,
// which only starts the 40 s anew.
#pragma once

#include <map>
#include <string>

#include "control/client/controller.h"

namespace minik::control {

struct PodGarbageOptions {
  size_t ended_pods_max = 12'500;
  Duration missing_node_grace = seconds(40);
  Duration period = seconds(20);
};

using MissingNodes = std::map<std::string, WallTime, std::less<>>;

Plan collect_pod_garbage(const Snapshot& snapshot, const PodGarbageOptions& options,
                         MissingNodes& missing, Env& env);
ControllerSpec pod_garbage_controller(PodGarbageOptions options = {});

}  // namespace minik::control
