#include "sim/transport.h"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <vector>

namespace minik::sim {

using control::ApiRequest;
using control::ApiResponse;
using control::ResponseCallback;
using control::WatchCallbacks;
using control::WatchEvent;
using control::WatchHandle;

namespace {

Error unreachable() {
  return Error(ErrorCode::kServiceUnavailable, "the API server cannot be reached");
}

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

  Duration request_delay() { return rng.between(delays.request_min, delays.request_max); }

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
    while (pipe->open && !pipe->queue.empty() && pipe->queue.front().first <= executor.now()) {
      const WatchEvent event = std::move(pipe->queue.front().second);
      pipe->queue.pop_front();
      if (on_delivery) on_delivery(component, event);
      pipe->callbacks.on_event(event);
    }
    schedule(pipe);
  }

  void schedule(const std::shared_ptr<Pipe>& pipe) {
    if (pipe->scheduled || !pipe->open || pipe->queue.empty()) return;
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
        executor.now() + rng.between(delays.watch_min, delays.watch_max) + extra(faults.hold_watch);
    pipe->last = std::max(pipe->last, at);
    pipe->queue.emplace_back(pipe->last, event);
    schedule(pipe);
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
  std::function<void(const ApiRequest&)> on_send;
  bool connected = true;
  std::vector<std::shared_ptr<Pipe>> pipes;
};

// One request on its way there and back; whoever carries it at the moment owns it.
struct SimulatedClient::Exchange {
  static void arrive(const std::shared_ptr<Exchange>& exchange) {
    const auto link = exchange->link.lock();
    if (!link) return;
    control::ApiServer* server = link->connected && !exchange->lost ? link->server() : nullptr;
    if (!server) {
      answer(exchange, unreachable());
      return;
    }
    server->handle(std::move(exchange->request),
                   [exchange](Result<ApiResponse> result) { answer(exchange, std::move(result)); });
  }

  static void answer(const std::shared_ptr<Exchange>& exchange, Result<ApiResponse> result) {
    const auto link = exchange->link.lock();
    if (!link) return;
    Duration delay = link->request_delay() + link->extra(link->faults.delay_answer);
    exchange->result.emplace(std::move(result));
    if (link->strikes(link->faults.lose_answer)) {
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

void SimulatedClient::set_faults(LinkFaults faults) { link_->faults = faults; }

void SimulatedClient::on_send(std::function<void(const ApiRequest&)> hook) { link_->on_send = std::move(hook); }

void SimulatedClient::set_connected(bool connected) {
  link_->connected = connected;
  if (connected) return;
  for (const auto& pipe : std::vector(link_->pipes)) link_->end(pipe, unreachable());
}

void SimulatedClient::send(ApiRequest request, ResponseCallback done) {
  request.user = link_->user;
  if (link_->on_send) link_->on_send(request);
  const bool lost = link_->strikes(link_->faults.lose_request);
  const bool reachable = !lost && link_->connected && link_->server() != nullptr;
  const Duration delay = reachable ? link_->request_delay() : link_->delays.time_out;
  auto exchange = std::make_shared<Exchange>(Exchange{link_, std::move(request), std::move(done), lost, {}});
  link_->executor.after(delay, [exchange = std::move(exchange)] { Exchange::arrive(exchange); });
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
    control::ApiServer* server = link->connected ? link->server() : nullptr;
    if (!server) {
      link->end(pipe, unreachable());
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
