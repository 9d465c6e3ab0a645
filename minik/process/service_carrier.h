// ServiceCarrierOnWorkers: control/'s Service rules into the node's packet filter, on the worker
// threads.
//
// One update is under way at a time (ServiceProxy sees to it), so the filter needs no lock. Control
// thread.
#pragma once

#include <memory>

#include "control/network/service_proxy.h"
#include "minik/process/worker_pool.h"
#include "runtime/network/service_filter.h"

namespace minik {

class ServiceCarrierOnWorkers : public control::ServiceCarrier {
 public:
  ServiceCarrierOnWorkers(Executor& executor, WorkerPool& workers,
                          std::unique_ptr<runtime::ServiceFilter> filter);

  void carry(control::ServiceRulesUpdate update, std::function<void(Status)> done) override;

 private:
  Executor& executor_;
  WorkerPool& workers_;
  // Shared with the work that may still run when the cluster stops.
  std::shared_ptr<runtime::ServiceFilter> filter_;
};

}  // namespace minik
