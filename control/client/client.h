// Client: how a component reaches the API server. One of the five edges between the two worlds: in the
// process it calls the server directly (control/api/local_client.h), in the simulator it goes through
// a transport that delays, fails, reorders between watches and serves stale reads (sim/transport.h).
//
// Everything happens on the control thread. A callback is called exactly once for each request, never
// from inside send(); when the client is destroyed, what is pending is dropped without a call. The
// caller's identity is the client's (one client a component), so requests leave `user` empty.
#pragma once

#include <functional>
#include <memory>

#include "control/base/result.h"
#include "control/client/request.h"

namespace minik::control {

using ResponseCallback = std::function<void(Result<ApiResponse>)>;

// A running watch; destroying it ends the watch and nothing is called afterwards.
class WatchHandle {
 public:
  virtual ~WatchHandle() = default;
};

struct WatchCallbacks {
  std::function<void(const WatchEvent&)> on_event;
  // The stream has ended: by the server (timeout), by the transport, or with an error (Expired asks
  // for a new list). Called once, and nothing follows it.
  std::function<void(Status)> on_end;
};

class Client {
 public:
  virtual ~Client() = default;
  virtual void send(ApiRequest request, ResponseCallback done) = 0;
  virtual std::unique_ptr<WatchHandle> watch(ApiRequest request, WatchCallbacks callbacks) = 0;
};

}  // namespace minik::control
