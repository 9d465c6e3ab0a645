// metrics.k8s.io: NodeMetrics and PodMetrics, as what node agents answer at the moment of asking.
//
// A request asks the agents of the nodes concerned, all at once, and answers when each has answered or five
// seconds are over; whoever did not is left out of a list and not found in a get. Pods of which there is no
// rate yet are left out too, as the real metrics server does. Owned by the ApiServer, which has authorized
// the request; control thread only.
#pragma once

#include <memory>

#include "control/base/executor.h"
#include "control/client/client.h"
#include "control/client/usage.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

class MetricsApi {
 public:
  MetricsApi(Executor& executor, const Store& store, const Schema& schema);
  ~MetricsApi();

  // Until there is one, every answer is ServiceUnavailable.
  void set_source(UsageSource source) { source_ = std::move(source); }

  static bool serves(KindId kind);
  void handle(const ApiRequest& request, ResponseCallback done);

 private:
  struct Question;
  Result<std::vector<Value>> objects_asked_for(const ApiRequest& request) const;
  void finish(Question& question) const;

  Executor& executor_;
  const Store& store_;
  const Schema& schema_;
  UsageSource source_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace minik::control
