// Transport: how a simulated component reaches the API server. Requests and responses take time, watches
// deliver later than they happen and each at its own pace; a link can be cut, and then requests fail
// after a time-out and watches end.
//
// A component's Client in the simulator. All delays come from the link's own random stream. The order of
// events inside one watch is kept, as TCP keeps it; between two watches it is not.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/api/api_server.h"
#include "control/base/rng.h"
#include "control/client/client.h"

namespace minik::sim {

struct LinkDelays {
  Duration request_min = microseconds(200), request_max = milliseconds(2);
  Duration watch_min = microseconds(500), watch_max = milliseconds(10);
  Duration time_out = seconds(10);  // of a request into a link that is cut
};

// What the trace wants to know of a delivery.
using DeliveryHook = std::function<void(const std::string& component, const control::WatchEvent& event)>;

class SimulatedClient : public control::Client {
 public:
  // `server` answers null while the API server is down.
  SimulatedClient(Executor& executor, std::function<control::ApiServer*()> server, std::string component,
                  Rng rng, LinkDelays delays, DeliveryHook on_delivery);
  ~SimulatedClient() override;

  void send(control::ApiRequest request, control::ResponseCallback done) override;
  std::unique_ptr<control::WatchHandle> watch(control::ApiRequest request,
                                              control::WatchCallbacks callbacks) override;

  // Cuts or heals the link; open watches end when it is cut.
  void set_connected(bool connected);
  bool connected() const;

  struct Link;

 private:
  std::shared_ptr<Link> link_;
};

}  // namespace minik::sim
