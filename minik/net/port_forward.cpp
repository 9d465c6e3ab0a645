#include "minik/net/port_forward.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "control/base/text.h"
#include "minik/net/channel_frames.h"
#include "minik/net/fd_channel.h"
#include "minik/net/spdy_connection.h"
#include "minik/net/stream_upgrade.h"
#include "minik/net/websocket.h"

namespace minik {
namespace {

using End = SpdySession::End;

constexpr const char* kTunnelProtocol = "SPDY/3.1+portforward.k8s.io";
constexpr size_t kChannelPortsMax = 100;
// A pair of streams of which one never comes is a broken client.
constexpr Duration kPairTimeout = seconds(30);

std::optional<uint16_t> parse_port(std::string_view text) {
  const auto port = parse_uint64(text);
  if (!port || *port == 0 || *port > 0xffff) return std::nullopt;
  return static_cast<uint16_t>(*port);
}

// Brings the outcome of connect() back to the loop.
void connect_on_loop(const ConnectPort& connect, uint16_t port,
                     const std::shared_ptr<EventLoop>& loop,
                     std::function<void(Result<UniqueFd>)> connected) {
  connect(port, [loop, connected = std::move(connected)](Result<UniqueFd> result) {
    auto holder = std::make_shared<Result<UniqueFd>>(std::move(result));
    loop->post([holder, connected] { connected(std::move(*holder)); });
  });
}

class SpdyForward : public std::enable_shared_from_this<SpdyForward> {
 public:
  SpdyForward(std::shared_ptr<ByteStream> stream, ConnectPort connect)
      : connection_(SpdyConnection::open(std::move(stream), SpdySession::Role::kServer)),
        connect_(std::move(connect)) {}

  void begin() {
    const auto self = shared_from_this();
    connection_->start(
        {.on_stream = [self](uint32_t id, const SpdyHeaders& headers,
                             End) { self->opened(id, headers); },
         .on_data = [self](uint32_t id, std::string_view bytes,
                           End end) { self->received(id, bytes, end); },
         .on_reset = [self](uint32_t id) { self->ended(id); },
         .on_window = [self](uint32_t) { self->drained(); }},
        [self] { self->closed(); }, [self] { self->drained(); });
  }

 private:
  struct Forward {
    explicit Forward(EventLoop& loop) : timeout(loop) {}
    uint16_t port = 0;
    uint32_t error_stream = 0;
    uint32_t data_stream = 0;
    std::shared_ptr<FdChannel> socket;
    std::string early;  // arrived before the socket stood
    bool client_ended = false;
    bool pod_ended = false;
    bool over = false;
    bool pod_paused = false;     // the client is slow
    bool client_paused = false;  // the pod is slow
    ScopedTimer timeout;
  };
  using ForwardPtr = std::shared_ptr<Forward>;

  SpdySession& session() { return connection_->session(); }

  void opened(uint32_t id, const SpdyHeaders& headers) {
    const auto type = spdy_header(headers, "streamtype");
    const auto port = parse_port(spdy_header(headers, "port"));
    if (!port || (type != "error" && type != "data")) {
      return session().reset(id, SpdyResetStatus::kRefusedStream);
    }
    const bool is_error = type == "error";
    // Clients from before request ids open the error stream first and the data stream next.
    std::string request(spdy_header(headers, "requestid"));
    if (request.empty()) request = cat("stream ", is_error ? id : id - 2);
    ForwardPtr& forward = pairs_[request];
    if (!forward) forward = std::make_shared<Forward>(*connection_->loop());
    uint32_t& slot = is_error ? forward->error_stream : forward->data_stream;
    if (slot != 0) return session().reset(id, SpdyResetStatus::kRefusedStream);
    slot = id;
    forward->port = *port;
    by_stream_[id] = forward;
    session().reply(id);
    if (forward->error_stream != 0 && forward->data_stream != 0) {
      const ForwardPtr ready = forward;
      ready->timeout.cancel();
      pairs_.erase(request);
      connect_pair(ready);
    } else {
      forward->timeout.arm(kPairTimeout, [this, id, request] {
        pairs_.erase(request);
        by_stream_.erase(id);
        session().reset(id, SpdyResetStatus::kCancel);
        connection_->flush();
      });
    }
  }

  void connect_pair(const ForwardPtr& forward) {
    connect_on_loop(connect_, forward->port, connection_->loop(),
                    [self = shared_from_this(), forward](Result<UniqueFd> socket) {
                      if (self->is_closed_ || forward->over) return;
                      if (socket) {
                        self->connected(forward, *std::move(socket));
                      } else {
                        self->finish(forward, cat("error forwarding port ", forward->port, ": ",
                                                  socket.error().message));
                      }
                      self->connection_->flush();
                    });
  }

  void connected(const ForwardPtr& forward, UniqueFd socket) {
    forward->socket = FdChannel::open(*connection_->loop(), std::move(socket));
    const std::weak_ptr<Forward> weak = forward;
    forward->socket->start({.on_bytes =
                                [this, weak](std::string_view bytes) {
                                  if (const auto f = weak.lock()) to_client(f, bytes);
                                },
                            .on_end =
                                [this, weak] {
                                  const auto f = weak.lock();
                                  if (!f) return;
                                  f->pod_ended = true;
                                  session().send(f->data_stream, {}, End::kYes);
                                  if (f->client_ended) finish(f, {});
                                  connection_->flush();
                                },
                            .on_drain =
                                [this, weak] {
                                  const auto f = weak.lock();
                                  if (f && std::exchange(f->client_paused, false))
                                    connection_->resume_reading();
                                },
                            .on_broken =
                                [this, weak] {
                                  if (const auto f = weak.lock()) finish(f, {});
                                  connection_->flush();
                                }});
    forward->socket->resume_reading();
    if (!forward->early.empty()) to_pod(forward, std::exchange(forward->early, {}));
    if (forward->client_ended) forward->socket->end_writing();
  }

  void to_client(const ForwardPtr& forward, std::string_view bytes) {
    session().send(forward->data_stream, bytes);
    connection_->flush();
    if (connection_->backlog() + session().waiting(forward->data_stream) > kPumpBacklogBytesMax) {
      forward->pod_paused = true;
      forward->socket->pause_reading();
    }
  }

  void to_pod(const ForwardPtr& forward, std::string_view bytes) {
    size_t waiting;
    if (forward->socket) {
      forward->socket->write(bytes);
      waiting = forward->socket->backlog();
    } else {
      forward->early += bytes;
      waiting = forward->early.size();
    }
    // One slow pod holds all forwards of the connection: SPDY's own clients keep no windows that
    // would hold one stream alone.
    if (waiting > kPumpBacklogBytesMax && !std::exchange(forward->client_paused, true)) {
      connection_->pause_reading();
    }
  }

  void received(uint32_t id, std::string_view bytes, End end) {
    session().consumed(id, bytes.size());
    const auto found = by_stream_.find(id);
    if (found == by_stream_.end()) return;
    const ForwardPtr forward = found->second;
    if (id != forward->data_stream || forward->over) return;
    if (!bytes.empty()) to_pod(forward, bytes);
    if (end != End::kYes) return;
    forward->client_ended = true;
    if (forward->socket) forward->socket->end_writing();
    if (forward->pod_ended) finish(forward, {});
  }

  // Reset by the client: nobody listens to that stream any more.
  void ended(uint32_t id) {
    const auto found = by_stream_.find(id);
    if (found == by_stream_.end()) return;
    const ForwardPtr forward = found->second;
    if (id == forward->data_stream) finish(forward, {});
  }

  // Ends both streams; the client reads the error stream to its end before it forgets the pair.
  void finish(const ForwardPtr& forward, const std::string& error) {
    if (std::exchange(forward->over, true)) return;
    if (forward->socket) forward->socket->close();
    session().send(forward->error_stream, error, End::kYes);
    session().send(forward->data_stream, {}, End::kYes);
    if (std::exchange(forward->client_paused, false)) connection_->resume_reading();
    forward->timeout.cancel();
    by_stream_.erase(forward->error_stream);
    by_stream_.erase(forward->data_stream);
  }

  void drained() {
    for (const auto& [_, forward] : by_stream_) {
      if (forward->socket && std::exchange(forward->pod_paused, false)) {
        forward->socket->resume_reading();
      }
    }
  }

  void closed() {
    is_closed_ = true;
    for (const auto& [_, forward] : by_stream_) {
      forward->over = true;
      forward->timeout.cancel();
      if (forward->socket) forward->socket->close();
    }
    by_stream_.clear();
    pairs_.clear();
  }

  const std::shared_ptr<SpdyConnection> connection_;
  const ConnectPort connect_;
  std::map<std::string, ForwardPtr> pairs_;  // by request id, until both streams have come
  std::map<uint32_t, ForwardPtr> by_stream_;
  bool is_closed_ = false;
};

class ChannelForward : public std::enable_shared_from_this<ChannelForward> {
 public:
  ChannelForward(std::shared_ptr<WebSocketConnection> connection, ChannelProtocol protocol,
                 std::vector<uint16_t> ports, ConnectPort connect)
      : connection_(std::move(connection)),
        protocol_(protocol),
        ports_(std::move(ports)),
        connect_(std::move(connect)),
        forwards_(ports_.size()) {}

  void begin() {
    const auto self = shared_from_this();
    connection_->start({.on_message = [self](WebSocketOpcode,
                                             std::string_view message) { self->received(message); },
                        .on_close = [self] { self->closed(); },
                        .on_drain = [self] { self->drained(); }});
    for (size_t i = 0; i < ports_.size(); ++i) {
      const std::string port = {static_cast<char>(ports_[i]), static_cast<char>(ports_[i] >> 8)};
      put(2 * i, port);
      put(2 * i + 1, port);
      connect_on_loop(connect_, ports_[i], connection_->loop(), [self, i](Result<UniqueFd> socket) {
        self->connected(i, std::move(socket));
      });
    }
  }

 private:
  struct Forward {
    std::shared_ptr<FdChannel> socket;
    std::string early;
    bool over = false;
  };

  void put(size_t channel, std::string_view bytes) {
    send_on_channel(*connection_, protocol_, static_cast<uint8_t>(channel), bytes);
  }

  void connected(size_t i, Result<UniqueFd> socket) {
    Forward& forward = forwards_[i];
    if (is_closed_) return;
    if (!socket) {
      forward.over = true;
      return put(2 * i + 1, cat("error forwarding port ", ports_[i], ": ", socket.error().message));
    }
    forward.socket = FdChannel::open(*connection_->loop(), *std::move(socket));
    forward.socket->start({.on_bytes =
                               [this, i](std::string_view bytes) {
                                 put(2 * i, bytes);
                                 if (connection_->backlog() > kPumpBacklogBytesMax) pause_pods();
                               },
                           .on_end =
                               [this, i] {
                                 forwards_[i].over = true;
                                 end_when_all_are_over();
                               },
                           .on_drain = [this] { resume_client(); },
                           .on_broken = [this] { resume_client(); }});
    forward.socket->resume_reading();
    forward.socket->write(std::exchange(forward.early, {}));
  }

  void received(std::string_view text) {
    const auto message = parse_channel_message(protocol_, text);
    if (!message || message->channel / 2u >= forwards_.size()) {
      return connection_->close(kWebSocketProtocolError, "no such channel");
    }
    if (message->channel % 2 != 0) return;
    Forward& forward = forwards_[message->channel / 2u];
    if (forward.over) return;
    size_t waiting;
    if (forward.socket) {
      forward.socket->write(message->payload);
      waiting = forward.socket->backlog();
    } else {
      forward.early += message->payload;
      waiting = 0;
      if (forward.early.size() > kWebSocketMessageBytesMax) {
        return connection_->close(kWebSocketProtocolError, "too much before the port is connected");
      }
    }
    if (waiting > kPumpBacklogBytesMax && !std::exchange(client_paused_, true)) {
      connection_->pause_reading();
    }
  }

  void resume_client() {
    if (std::exchange(client_paused_, false)) connection_->resume_reading();
  }
  void pause_pods() {
    pods_paused_ = true;
    for (const Forward& forward : forwards_) {
      if (forward.socket) forward.socket->pause_reading();
    }
  }
  void drained() {
    if (!std::exchange(pods_paused_, false)) return;
    for (const Forward& forward : forwards_) {
      if (forward.socket && !forward.over) forward.socket->resume_reading();
    }
  }
  void end_when_all_are_over() {
    for (const Forward& forward : forwards_) {
      if (!forward.over) return;
    }
    connection_->close(kWebSocketNormalClosure, {});
  }
  void closed() {
    is_closed_ = true;
    for (const Forward& forward : forwards_) {
      if (forward.socket) forward.socket->close();
    }
  }

  const std::shared_ptr<WebSocketConnection> connection_;
  const ChannelProtocol protocol_;
  const std::vector<uint16_t> ports_;
  const ConnectPort connect_;
  std::vector<Forward> forwards_;
  bool client_paused_ = false;
  bool pods_paused_ = false;
  bool is_closed_ = false;
};

// ?ports=80,443&ports=8080
Result<std::vector<uint16_t>> ports_of(std::string_view query) {
  std::vector<uint16_t> ports;
  for (const auto& [name, value] : query_parameters(query)) {
    if (name != "ports") continue;
    for (const std::string_view text : split(value, ',')) {
      const auto port = parse_port(text);
      if (!port) {
        return Error(ErrorCode::kBadRequest, cat("query parameter ports: ", quoted(text),
                                                 " is not a port from 1 to 65535"));
      }
      ports.push_back(*port);
    }
  }
  if (ports.empty() || ports.size() > kChannelPortsMax) {
    return Error(ErrorCode::kBadRequest, cat("query parameter ports: between 1 and ",
                                             kChannelPortsMax, " ports are required"));
  }
  return ports;
}

Status serve_websocket(const HttpRequest& request, const Responder& responder,
                       const ConnectPort& connect) {
  MINIK_ASSIGN(const auto accept, accept_websocket(request, {kTunnelProtocol, "v4.channel.k8s.io",
                                                             "v4.base64.channel.k8s.io"}));
  if (accept.protocol == kTunnelProtocol) {
    responder.upgrade(accept.head, [connect](const std::shared_ptr<ByteStream>& stream) {
      auto tunnel = tunnel_through(std::make_shared<WebSocketConnection>(stream));
      std::make_shared<SpdyForward>(std::move(tunnel), connect)->begin();
    });
    return {};
  }
  MINIK_ASSIGN(const auto ports, ports_of(request.query));
  const ChannelProtocol protocol =
      accept.protocol.empty() ? ChannelProtocol{} : *channel_protocol(accept.protocol);
  responder.upgrade(accept.head, [=](const std::shared_ptr<ByteStream>& stream) {
    std::make_shared<ChannelForward>(std::make_shared<WebSocketConnection>(stream), protocol, ports,
                                     connect)
        ->begin();
  });
  return {};
}

Status serve_spdy(const HttpRequest& request, const Responder& responder,
                  const ConnectPort& connect) {
  MINIK_ASSIGN(const auto accept, accept_spdy(request, {"portforward.k8s.io"}));
  responder.upgrade(accept.head, [connect](const std::shared_ptr<ByteStream>& stream) {
    std::make_shared<SpdyForward>(stream, connect)->begin();
  });
  return {};
}

}  // namespace

void serve_port_forward(const HttpRequest& request, const Responder& responder,
                        ConnectPort connect) {
  const Status served = wants_websocket(request) ? serve_websocket(request, responder, connect)
                                                 : serve_spdy(request, responder, connect);
  if (!served) responder.respond(upgrade_refusal(served.error()));
}

}  // namespace minik
