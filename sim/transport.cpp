#include "sim/transport.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "control/object/keys.h"

namespace minik::sim {

using control::ApiRequest;
using control::ApiResponse;
using control::ResponseCallback;
using control::WatchCallbacks;
using control::WatchEvent;
using control::WatchHandle;

namespace {
// A server that is this far behind takes nothing more.
constexpr Duration kBacklogMax = seconds(30);

Error unreachable() {
  return Error(ErrorCode::kServiceUnavailable, "the API server cannot be reached");
}

Error unauthorized() { return Error(ErrorCode::kUnauthorized, "Unauthorized"); }

// A message into a link that is cut one way is given up after this many time-outs.
constexpr int64_t kStallTimeOuts = 3;

struct Pipe {
  WatchCallbacks callbacks;
  std::unique_ptr<WatchHandle> inner;
  std::deque<std::pair<Instant, WatchEvent>> queue;
  bool open = true;
  bool scheduled = false;
  Instant last;
};

}  // namespace

struct SimulatedClient::Link : std::enable_shared_from_this<Link> {
  Link(Executor& e, std::function<control::ApiServer*()> s, std::string c, Rng r, LinkDelays d, DeliveryHook h)
      : executor(e), server(std::move(s)), component(std::move(c)), rng(r), delays(d), on_delivery(std::move(h)), trouble(r.fork("trouble")) {}

  // One draw of the trouble's stream, and none where there is no such trouble.
  bool strikes(uint32_t chance) { return chance > 0 && trouble.chance_ppm(chance); }
  Duration extra(uint32_t chance) { return strikes(chance) ? trouble.between(Duration{}, faults.delay_max) : Duration{}; }

  Duration draw(Duration min, Duration max) {
    const Duration drawn = rng.between(min, max);
    return delays.chance.open(executor.now()) ? drawn : (min + max) / 2;
  }
  Duration request_delay() { return draw(delays.request_min, delays.request_max); }
  // Of a request that leaves now and would take so long.
  Duration on_the_way(Duration delay) {
    if (!in_order) return delay;
    last_arrives = std::max(executor.now() + delay, last_arrives + nanoseconds(1));
    return last_arrives - executor.now();
  }

  void end(const std::shared_ptr<Pipe>& pipe, Status status) {
    if (!pipe->open) return;
    pipe->open = false;
    pipe->inner.reset();
    std::erase(pipes, pipe);
    pipe->callbacks.on_end(std::move(status));
  }

  // Not from inside the server's call.
  void end_later(const std::weak_ptr<Pipe>& weak_pipe, const Status& status) {
    executor.post([weak = weak_from_this(), weak_pipe, status] {
      const auto link = weak.lock();
      const auto pipe = weak_pipe.lock();
      if (link && pipe) link->end(pipe, status);
    });
  }

  void deliver(const std::shared_ptr<Pipe>& pipe) {
    pipe->scheduled = false;
    while (pipe->open && !watches_stand() && !pipe->queue.empty() && pipe->queue.front().first <= executor.now()) {
      const WatchEvent event = std::move(pipe->queue.front().second);
      pipe->queue.pop_front();
      if (on_delivery) on_delivery(component, event);
      pipe->callbacks.on_event(event);
    }
    schedule(pipe);
  }

  bool watches_stand() const { return faults.hold_all_watches || faults.cut_answers; }

  void schedule(const std::shared_ptr<Pipe>& pipe) {
    if (pipe->scheduled || !pipe->open || pipe->queue.empty() || watches_stand()) return;
    pipe->scheduled = true;
    executor.after(pipe->queue.front().first - executor.now(), [weak = weak_from_this(), pipe] {
      if (const auto link = weak.lock()) link->deliver(pipe);
    });
  }

  void enqueue(const std::shared_ptr<Pipe>& pipe, const WatchEvent& event) {
    if (strikes(faults.end_watch)) {
      end_later(pipe, unreachable());
      return;
    }
    const Instant at =
        executor.now() + draw(delays.watch_min, delays.watch_max) + extra(faults.hold_watch);
    pipe->last = std::max(pipe->last, at);
    pipe->queue.emplace_back(pipe->last, event);
    schedule(pipe);
  }

  // Sends what a fault held, and lets watches go on.
  void release() {
    if (!faults.hold_all_requests) {
      auto waiting = std::move(held);
      held.clear();
      for (auto& exchange : waiting) leave(std::move(exchange));
    }
    for (const auto& pipe : std::vector(pipes)) schedule(pipe);
  }

  void leave(std::shared_ptr<Exchange> exchange);

  // Nothing has been heard for so long that the stream counts as broken.
  void give_up_watches() {
    for (const auto& pipe : std::vector(pipes)) end(pipe, unreachable());
  }

  Executor& executor;
  std::function<control::ApiServer*()> server;
  std::string component;
  control::UserInfo user = control::component_user(component);
  Rng rng;
  LinkDelays delays;
  DeliveryHook on_delivery;
  Rng trouble;
  LinkFaults faults;
  std::function<bool(const ApiRequest&)> on_send;
  std::function<void(const ApiRequest&)> on_done;
  ApiGate* gate = nullptr;
  bool in_order = false;
  Instant last_arrives;  // where they are in order
  bool connected = true;
  bool abandoned = false;  // nobody hears any more
  std::vector<std::shared_ptr<Exchange>> held;
  uint64_t cuts = 0;
  std::vector<std::shared_ptr<Pipe>> pipes;
};

// One request on its way there and back; whoever carries it at the moment owns it. A server that dies drops what it
// carries: then its sender hears that the server cannot be reached.
struct SimulatedClient::Exchange {
  Exchange(std::weak_ptr<Link> l, ApiRequest r, ResponseCallback d, bool is_lost)
      : link(std::move(l)), request(std::move(r)), done(std::move(d)), lost(is_lost) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange() {
    const auto to = link.lock();
    if (answered || !to || to->abandoned) return;
    to->executor.post([weak = link, tell = std::move(done)] {
      if (weak.lock()) tell(unreachable());
    });
  }

  // On its way: the server handles it after the delay, or its sender hears of a time-out.
  static void leave(const std::shared_ptr<Exchange>& exchange) {
    const auto link = exchange->link.lock();
    if (!link) return;
    exchange->lost = exchange->lost || link->faults.cut_requests;
    if (exchange->lost || !link->connected) {
      link->executor.after(link->delays.time_out, [exchange] { arrive(exchange); });
      return;
    }
    // Where no server runs the connection is refused at once, and nothing arrives later.
    exchange->lost = link->server() == nullptr;
    const Duration wait = link->gate && !exchange->lost ? link->gate->wait() : Duration{};
    link->executor.after(link->on_the_way(link->request_delay() + wait), [exchange] { arrive(exchange); });
  }

  static void arrive(const std::shared_ptr<Exchange>& exchange) {
    const auto link = exchange->link.lock();
    if (!link) return;
    control::ApiServer* server = link->connected && !exchange->lost ? link->server() : nullptr;
    if (!server) {
      answer(exchange, unreachable());
      return;
    }
    if (link->gate) {
      if (Status admitted = link->gate->admit(link->executor.now()); !admitted) {
        answer(exchange, std::move(admitted).error());
        return;
      }
    }
    if (link->faults.unauthorized) {
      answer(exchange, unauthorized());
      return;
    }
    if (link->on_done) exchange->told = exchange->request;
    server->handle(std::move(exchange->request), [exchange](Result<ApiResponse> outcome) {
      const auto from = exchange->link.lock();
      if (from && from->on_done && exchange->told && outcome) from->on_done(*exchange->told);
      const size_t objects = outcome ? outcome->object[control::keys::kItems].size() : 0;
      const Duration busy = from && from->gate ? from->gate->serve(from->executor.now(), objects) : Duration{};
      answer(exchange, std::move(outcome), busy);
    });
  }

  static void answer(const std::shared_ptr<Exchange>& exchange, Result<ApiResponse> result, Duration busy = {}) {
    const auto link = exchange->link.lock();
    exchange->answered = true;
    if (!link || link->abandoned) return;
    Duration delay = link->request_delay() + link->extra(link->faults.delay_answer) + busy;
    exchange->result.emplace(std::move(result));
    if (link->faults.cut_answers || link->strikes(link->faults.lose_answer) || busy >= link->delays.time_out) {
      delay = link->delays.time_out;
      exchange->result.emplace(unreachable());
    }
    link->executor.after(delay, [exchange] {
      if (exchange->link.lock()) exchange->done(*std::move(exchange->result));
    });
  }

  std::weak_ptr<Link> link;
  ApiRequest request;
  ResponseCallback done;
  bool lost = false;  // it will not arrive
  bool answered = false;
  std::optional<ApiRequest> told;  // for on_done
  std::optional<Result<ApiResponse>> result;
};

SimulatedClient::SimulatedClient(Executor& executor, std::function<control::ApiServer*()> server,
                                 std::string component, Rng rng, LinkDelays delays, DeliveryHook on_delivery)
    : link_(std::make_shared<Link>(executor, std::move(server), std::move(component), rng, delays,
                                   std::move(on_delivery))) {}

SimulatedClient::~SimulatedClient() {
  for (const auto& pipe : link_->pipes) {
    pipe->open = false;
    pipe->inner.reset();
  }
}

bool SimulatedClient::connected() const { return link_->connected; }

void SimulatedClient::set_faults(LinkFaults faults) {
  const bool newly_cut = faults.cut_answers && !link_->faults.cut_answers;
  link_->faults = faults;
  if (newly_cut) {
    link_->executor.after(link_->delays.time_out * kStallTimeOuts, [weak = std::weak_ptr(link_), cut = ++link_->cuts] {
      const auto link = weak.lock();
      if (link && link->cuts == cut && link->faults.cut_answers) link->give_up_watches();
    });
  }
  link_->release();
}

void SimulatedClient::on_send(std::function<bool(const ApiRequest&)> hook) { link_->on_send = std::move(hook); }

void SimulatedClient::on_done(std::function<void(const ApiRequest&)> hook) { link_->on_done = std::move(hook); }

void SimulatedClient::set_gate(ApiGate* gate) { link_->gate = gate; }

void SimulatedClient::keep_order() { link_->in_order = true; }

void SimulatedClient::set_connected(bool connected) {
  link_->connected = connected;
  if (!connected) link_->give_up_watches();
}

void SimulatedClient::end_watches() { link_->give_up_watches(); }

void SimulatedClient::abandon() {
  link_->give_up_watches();
  link_->abandoned = true;
  link_->on_send = nullptr;
  link_->on_done = nullptr;
  link_->faults = {};
  link_->release();
  // Until the last has arrived.
  link_->executor.after(link_->delays.time_out * 2, [link = link_] {});
}

void SimulatedClient::Link::leave(std::shared_ptr<Exchange> exchange) {
  executor.post([exchange = std::move(exchange)] { Exchange::leave(exchange); });
}

void SimulatedClient::send(ApiRequest request, ResponseCallback done) {
  Link& link = *link_;
  request.user = link.user;
  const bool goes = !link.on_send || link.on_send(request);
  const bool lost = !goes || link.strikes(link.faults.lose_request);
  auto exchange = std::make_shared<Exchange>(link_, std::move(request), std::move(done), lost);
  if (link.faults.hold_all_requests) {
    link.held.push_back(std::move(exchange));
  } else {
    Exchange::leave(exchange);
  }
}

LinkFaults LinkFaults::with(const LinkFaults& other) const {
  LinkFaults both = *this;
  const auto add = [](uint32_t& into, uint32_t chance) { into = std::min<uint32_t>(into + chance, 1'000'000); };
  add(both.lose_request, other.lose_request);
  add(both.lose_answer, other.lose_answer);
  add(both.delay_answer, other.delay_answer);
  add(both.hold_watch, other.hold_watch);
  add(both.end_watch, other.end_watch);
  if (other.any()) both.delay_max = any() ? std::max(delay_max, other.delay_max) : other.delay_max;
  both.hold_all_requests |= other.hold_all_requests;
  both.hold_all_watches |= other.hold_all_watches;
  both.cut_requests |= other.cut_requests;
  both.cut_answers |= other.cut_answers;
  both.unauthorized |= other.unauthorized;
  return both;
}

bool is_write(control::Verb verb) {
  using control::Verb;
  return verb == Verb::kCreate || verb == Verb::kUpdate || verb == Verb::kPatch || verb == Verb::kDelete ||
         verb == Verb::kDeleteCollection;
}

Duration ApiGate::serve(Instant now, size_t objects) {
  if (objects_per_second_ == 0) return {};
  const Duration takes{seconds(1).ns * static_cast<int64_t>(objects + 1) / objects_per_second_};
  busy_until_ = std::max(busy_until_, now) + takes;
  return busy_until_ - now;
}

Status ApiGate::admit(Instant now) {
  if (objects_per_second_ > 0 && busy_until_ - now > kBacklogMax) {
    return Error(ErrorCode::kTooManyRequests, "too many requests are waiting, please try again later");
  }
  if (trouble_.certificate_expired) {
    return Error(ErrorCode::kServiceUnavailable,
                 "tls: failed to verify certificate: x509: certificate has expired or is not yet valid");
  }
  if (trouble_.fail > 0 && rng_.chance_ppm(trouble_.fail)) {
    if (trouble_.fail_code == 503) return Error(ErrorCode::kServiceUnavailable, "the server is currently unable to handle the request");
    if (trouble_.fail_code == 504) return Error(ErrorCode::kTimeout, "the request could not be completed in time");
    return Error(ErrorCode::kInternalError, "an error on the server has prevented the request from succeeding");
  }
  if (trouble_.rate == 0) return {};
  if (now - second_ >= seconds(1)) {
    second_ = now;
    requests_of_second_ = 0;
  }
  if (++requests_of_second_ <= trouble_.rate) return {};
  Error error(ErrorCode::kTooManyRequests, "too many requests, please try again later");
  error.retry_after_seconds = trouble_.retry_after_seconds;
  return error;
}

std::unique_ptr<WatchHandle> SimulatedClient::watch(ApiRequest request, WatchCallbacks callbacks) {
  struct Handle : WatchHandle {
    explicit Handle(std::shared_ptr<Pipe> p) : pipe(std::move(p)) {}
    ~Handle() override {
      pipe->open = false;
      pipe->inner.reset();
    }
    std::shared_ptr<Pipe> pipe;
  };
  request.user = link_->user;
  auto pipe = std::make_shared<Pipe>();
  pipe->callbacks = std::move(callbacks);
  std::erase_if(link_->pipes, [](const auto& p) { return !p->open; });
  link_->pipes.push_back(pipe);
  const std::weak_ptr<Link> weak = link_;
  link_->executor.after(link_->request_delay(), [weak, pipe, request = std::move(request)] {
    const auto link = weak.lock();
    if (!link || !pipe->open) return;
    control::ApiServer* server = link->connected && !link->faults.cut_requests ? link->server() : nullptr;
    if (!server) {
      link->end(pipe, unreachable());
      return;
    }
    if (link->gate) {
      if (Status admitted = link->gate->admit(link->executor.now()); !admitted) {
        link->end(pipe, std::move(admitted));
        return;
      }
    }
    if (link->faults.unauthorized) {
      link->end(pipe, unauthorized());
      return;
    }
    const std::weak_ptr<Pipe> weak_pipe = pipe;
    WatchCallbacks inner;
    inner.on_event = [weak, weak_pipe](const WatchEvent& event) {
      const auto l = weak.lock();
      const auto p = weak_pipe.lock();
      if (l && p && p->open) l->enqueue(p, event);
    };
    inner.on_end = [weak, weak_pipe](const Status& status) {
      if (const auto l = weak.lock()) l->end_later(weak_pipe, status);
    };
    auto handle = server->watch(request, std::move(inner));
    if (handle) {
      pipe->inner = *std::move(handle);
    } else {
      link->end(pipe, std::move(handle).error());
    }
  });
  return std::make_unique<Handle>(pipe);
}

}  // namespace minik::sim
