// Scheduler: binds pods that name one of its profiles and have no node.
//
//   informers --> queue (active | backing off | unschedulable) --> Candidates --> assume --> bind
//                                                                     | nowhere
//                                                                     +--> Preemption --> nominate,
//                                                                     evict
//
// A pod is taken by priority, then by age. It is placed on the best node of its class's candidates,
// counted there at once (assumed), and bound through the API; a failed bind takes it back and tries
// again after a back-off. A pod that fits nowhere says why (event FailedScheduling, condition
// PodScheduled=False), makes room by preemption if its priority allows, and waits for an event that
// can help its class: room on a node that it could take, a pod that its rules count; at the latest
// five minutes. A pod with scheduling gates is left alone.
//
// Its caches hold what the API has said; what is assumed or nominated is rebuilt from it after a
// restart. Control thread only; may be destroyed at any moment.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/metrics.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/client/event_recorder.h"
#include "control/client/informer.h"
#include "control/scheduler/profile.h"

namespace minik::control {

class Scheduler {
 public:
  // `informers` must not have been started yet.
  Scheduler(Executor& executor, Client& client, InformerSet& informers, EventRecorder& events,
            MetricRegistry& metrics, Rng rng, SchedulerConfiguration configuration = {});
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Begins when the informers have synced.
  void start();
  // Pods that wait for a node.
  size_t pending() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace minik::control
