// WebhookClient: the real side of WebhookCaller. Asks over HTTPS, with threads of its own: a webhook that
// answers slowly must not hold up containers.
//
//   control thread: call() --> worker: dial, TLS (the webhook's caBundle, its host's name), POST, answer
//                   done() <--post--
//
// Services are dialled inside the cluster's network, at the endpoint that the API server chose; URLs by
// name from the machine. Every call has one deadline for all of its waits, so a worker is taken for no
// longer than the webhook's timeout. What comes of it is text or an error in the words of Go's client.
//
// Made on the control thread and destroyed there before its executor; the destructor waits for what runs.
#pragma once

#include <functional>
#include <string>

#include "control/admission/webhook_caller.h"
#include "control/base/executor.h"
#include "minik/net/unique_fd.h"
#include "minik/process/worker_pool.h"

namespace minik {

class WebhookClient final : public control::WebhookCaller {
 public:
  using Dial = std::function<Result<UniqueFd>(const std::string& address, int port, int timeout_ms)>;

  WebhookClient(Executor& control, Dial into_cluster);
  void call(control::WebhookCall call, std::function<void(Result<std::string>)> done) override;

 private:
  Executor& control_;
  const Dial into_cluster_;
  WorkerPool workers_;
};

// One call on the calling thread; for workers and tests.
Result<std::string> ask_webhook(const control::WebhookCall& call, const WebhookClient::Dial& into_cluster);

}  // namespace minik
