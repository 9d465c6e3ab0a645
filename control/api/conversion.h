// Conversion: requests for a version of a custom resource that is not the stored one, where a webhook turns one into
// the other (spec.conversion.strategy Webhook).
//
//   request in v2 --decode, check as v2--> webhook --> the same request in v1, the storage version
//   answer in v2  <------------------------ webhook <-- its answer, or each event of a watch, in order
//
// The inner request meets authorization, admission and the store as any other; a PATCH is made against the object as its
// client sees it and lands as one only if nobody has written meanwhile, else it is made again. In which form objects are
// stored when a definition names another storage version: storage_migration.h.
//
// Part of CustomResources, on the control thread. The webhook is asked through WebhookCaller; errors are worded as
// kube-apiserver words them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "control/admission/webhook_caller.h"
#include "control/base/executor.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/extension/conversion_review.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

class ApiServer;

class Conversion {
 public:
  struct Edges {
    WebhookCaller* caller = nullptr;  // null: webhooks cannot be reached
    std::function<Status(const ApiRequest&)> authorize;
  };

  Conversion(ApiServer& server, Executor& executor, const Store& store, const Schema& schema, Rng rng, Edges edges);
  ~Conversion();
  Conversion(const Conversion&) = delete;
  Conversion& operator=(const Conversion&) = delete;

  bool concerns(const ApiRequest& request) const;
  void handle(ApiRequest request, ResponseCallback done);
  Result<std::unique_ptr<WatchHandle>> watch(ApiRequest request, WatchCallbacks callbacks);

  using Converted = std::function<void(Result<std::vector<Value>>)>;
  // Asks the webhook; `done` runs in a later turn, or at once where there is nothing to ask.
  void convert(const ResourceInfo& from, const ResourceInfo& to, const std::vector<Value>& objects, Converted done);

 private:
  struct Exchange;
  struct ConvertedWatch;

  const ResourceInfo& storage_of(const ResourceInfo& resource) const;
  void write(const std::shared_ptr<Exchange>& exchange, const Value& document);
  void patch(const std::shared_ptr<Exchange>& exchange);
  void apply(const std::shared_ptr<Exchange>& exchange);
  void send(const std::shared_ptr<Exchange>& exchange, ApiRequest inner);
  void answer(const std::shared_ptr<Exchange>& exchange, Result<ApiResponse> result);
  void pump(const std::shared_ptr<ConvertedWatch>& watch);

  ApiServer& server_;
  Executor& executor_;
  const Store& store_;
  const Schema& schema_;
  Rng rng_;
  Edges edges_;
  // Of each resource, where its webhook was last: a watch still has to tell of objects that went with their definition.
  std::map<std::string, Value> client_configs_;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
