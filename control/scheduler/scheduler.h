// Scheduler: binds pods that name this scheduler and have no node.
//
//   informers --> queue (active | backing off | unschedulable) --> Candidates --> assume --> bind
//
// A pod is taken by priority, then by age. It is placed on the best node of its class's candidate order,
// counted there at once (assumed), and bound through the API; a failed bind takes it back and tries
// again after a back-off of 1 s doubling to 10 s. A pod that fits nowhere says why (event
// FailedScheduling, condition PodScheduled=False) and waits for an event that can help: a node that
// changed, a pod that went; at the latest five minutes.
//
// Not here yet: preemption, inter-pod affinity, volumes, ports, profiles. Control thread only; may be
// destroyed at any moment, nothing is kept but what the API has.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "control/base/executor.h"
#include "control/base/metrics.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/client/event_recorder.h"
#include "control/client/informer.h"
#include "control/scheduler/candidates.h"

namespace minik::control {

class Scheduler {
 public:
  Scheduler(Executor& executor, Client& client, InformerSet& informers, EventRecorder& events,
            MetricRegistry& metrics, Rng rng, std::string name = "default-scheduler");
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Begins when the informers have synced.
  void start();
  size_t pending() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minik::control
