// Keeps the objects of API Priority and Fairness that every cluster has: what is deleted is there again a minute later,
// and the mandatory ones (the levels and schemas "exempt" and "catch-all") say what Kubernetes fixed. As its
// maintenance does, which comes by every minute; here only a deletion can make work, so only a deletion starts the clock.
//
// Owned by the API server, on the control thread; the store and the executor outlive it.
#pragma once

#include <functional>
#include <vector>

#include "control/base/executor.h"
#include "control/client/request.h"
#include "control/schema/field_error.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

class FlowControlKeeper {
 public:
  using Send = std::function<void(ApiRequest request)>;

  FlowControlKeeper(Executor& executor, Store& store, Send send);
  ~FlowControlKeeper();
  FlowControlKeeper(const FlowControlKeeper&) = delete;
  FlowControlKeeper& operator=(const FlowControlKeeper&) = delete;

  // Whether there was anything to do.
  bool restore();

 private:
  void look_again();

  Store& store_;
  Send send_;
  ScopedTimer timer_;
  std::vector<StoreWatchId> watches_;
};

// Complains of a mandatory object that says something else than it must.
void check_mandatory_flow_control(const ResourceInfo& resource, const Value& object, FieldErrors& errors);

}  // namespace minik::control
