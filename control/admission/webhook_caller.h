// WebhookCaller: how the API server asks a service outside of itself, one of the edges between the two
// worlds. In the process it is HTTPS by worker threads (minik/process/webhook_client.h), in the simulator
// an answer that a test or a scenario gives, late or not at all (sim/webhooks.h).
//
// call() returns at once. `done` runs later on the control thread, exactly once unless the caller is
// destroyed first, and at the latest some moments after the timeout: the API server has given up by then
// and takes no notice.
#pragma once

#include <functional>
#include <string>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik::control {

struct WebhookCall {
  std::string webhook;  // its name: "validate.example.com"
  // https://NAME.NAMESPACE.svc:PORT/PATH for a service, else the URL as it was given.
  std::string url;
  // Of a service: where to connect instead of looking the host's name up; empty for a URL.
  std::string address;
  int port = 443;
  std::string ca_bundle;  // PEM; empty: the system's authorities
  Duration timeout = seconds(10);
  std::string body;  // JSON
};

class WebhookCaller {
 public:
  virtual ~WebhookCaller() = default;
  // The body of a 200 answer; an error says what went wrong as Go's client does: `dial tcp …: connection refused`.
  virtual void call(WebhookCall call, std::function<void(Result<std::string>)> done) = 0;
};

}  // namespace minik::control
