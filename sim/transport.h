// Transport: how a simulated component reaches the API server. Requests and responses take time, watches
// deliver later than they happen and each at its own pace; a link can be cut, and then requests fail
// after a time-out and watches end.
//
// A component's Client in the simulator. All delays come from the link's own random stream. The order of
// events inside one watch is kept, as TCP keeps it; between two watches it is not.
//
// A link may also be troubled (LinkFaults): then requests and answers get lost, answers come late and are
// stale by then, and watches stall or end. Messages may be held as a whole and released later, and a link may be
// cut one way. Trouble has a random stream of its own, so that a link without it behaves to the byte as if there
// were no such thing.
//
// At the server's end all links pass one gate (ApiGate): a server that is slow, fails or refuses.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "control/api/api_server.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "sim/chance_window.h"
#include "sim/distribution.h"

namespace minik::sim {

struct LinkDelays {
  Duration request_min = microseconds(200), request_max = milliseconds(2);
  Duration watch_min = microseconds(500), watch_max = milliseconds(10);
  Duration time_out = seconds(10);  // of a request into a link that is cut
  ChanceWindow chance;              // in which delays are drawn
};

// Random trouble. The chances are parts per million: of each request, answer, or watch event.
struct LinkFaults {
  uint32_t lose_request = 0;  // it never arrives; its sender hears so after the time-out
  uint32_t lose_answer = 0;   // it took effect, and its sender hears of a time-out all the same
  uint32_t delay_answer = 0;  // a list is stale by the time that it comes
  uint32_t hold_watch = 0;    // this event and all behind it wait; what other watches tell overtakes them
  uint32_t end_watch = 0;     // the watch ends before this event
  Duration delay_max = seconds(10);
  // While they are set everything waits; it goes on its way, in its order, when they are not any more.
  bool hold_all_requests = false, hold_all_watches = false;
  // A link that is cut one way: requests never arrive, or what the server says does not.
  bool cut_requests = false, cut_answers = false;
  // Its token or client certificate has expired: 401 to each request. A watch that is open goes on until it ends.
  bool unauthorized = false;

  bool any() const {
    return lose_request + lose_answer + delay_answer + hold_watch + end_watch > 0 || hold_all_requests ||
           hold_all_watches || cut_requests || cut_answers || unauthorized;
  }
  // Both troubles at once.
  LinkFaults with(const LinkFaults& other) const;
};

// What a server does to requests before it handles them; one for all links to it.
class ApiGate {
 public:
  explicit ApiGate(Rng rng) : rng_(rng) {}

  struct Trouble {
    Distribution latency;       // each request waits so long
    uint32_t fail = 0;          // so many of a million fail…
    int fail_code = 500;        // …with this status
    int64_t rate = 0;           // more requests a second are refused with 429; 0: no limit
    int retry_after_seconds = 1;
    bool certificate_expired = false;  // nobody who checks it talks to this server
  };
  // From now on; Trouble{} ends it.
  void set(const Trouble& trouble) { trouble_ = trouble; }
  Duration wait() { return trouble_.latency.is_zero() ? Duration{} : trouble_.latency.draw(rng_); }
  Status admit(Instant now);
  // A server that makes its way through so many objects a second, one request after the other, each of them an object
  // more than it answers. 0: at once.
  void set_pace(int64_t objects_per_second) { objects_per_second_ = objects_per_second; }
  // How long the answer with so many objects takes to leave, behind all that were asked for before it.
  Duration serve(Instant now, size_t objects);

 private:
  Rng rng_;
  Trouble trouble_;
  Instant second_;
  int64_t requests_of_second_ = 0;
  int64_t objects_per_second_ = 0;
  Instant busy_until_;
};

bool is_write(control::Verb verb);

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

  // From now on its requests arrive in the order in which they leave, as on one connection.
  void keep_order();
  // Cuts or heals the link; open watches end when it is cut.
  void set_connected(bool connected);
  bool connected() const;
  // From now on; LinkFaults{} ends the trouble, and what is held comes when its time is up.
  void set_faults(LinkFaults faults);
  // Called for each request when it leaves; false: it is lost, as when its sender dies over it.
  void on_send(std::function<bool(const control::ApiRequest&)> hook);
  // Called for each request that succeeded, when the server has answered it.
  void on_done(std::function<void(const control::ApiRequest&)> hook);
  // The server's end; none: every request is admitted at once.
  void set_gate(ApiGate* gate);
  // All watches end, as they do when the server dies or has had enough of them.
  void end_watches();
  // What a faulty link holds still goes to the server when the client is destroyed, and nobody hears an answer: a
  // process that died with its requests in the network.
  void abandon();

  struct Link;

 private:
  struct Exchange;
  std::shared_ptr<Link> link_;
};

}  // namespace minik::sim
