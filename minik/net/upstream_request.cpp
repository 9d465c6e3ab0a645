#include "minik/net/upstream_request.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "minik/net/limits.h"

namespace minik {

namespace {

// Of one connection, not of what it carries (RFC 9110, 7.6.1), and what our own server says anew.
bool is_hop_header(std::string_view name) {
  constexpr std::string_view kNames[] = {"connection",
                                         "keep-alive",
                                         "proxy-authenticate",
                                         "proxy-connection",
                                         "te",
                                         "transfer-encoding",
                                         "trailer",
                                         "upgrade",
                                         "content-length",
                                         "date"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

HttpResponse passed_head(const HttpResponse& head) {
  HttpResponse result;
  result.status = head.status;
  for (const auto& header : head.headers) {
    if (!is_hop_header(header.name)) result.headers.push_back(header);
  }
  return result;
}

}  // namespace

UpstreamRequest::UpstreamRequest(UpstreamOrder order, Responder responder)
    : order_(std::move(order)),
      responder_(std::move(responder)),
      loop_(*responder_.loop()),
      reader_(order_.method),
      timer_(loop_) {}

void UpstreamRequest::begin() {
  responder_.on_close([self = shared_from_this()] { self->drop(); });
  connect_next();
}

void UpstreamRequest::arm(Duration patience) {
  timer_.arm(patience, [self = shared_from_this()] { self->give_up(); });
}

void UpstreamRequest::connect_next() {
  connecting_.reset();
  socket_.reset();
  if (next_ >= order_.endpoints.size())
    return fail(502, "no endpoint of the service accepts connections");
  const auto endpoint = order_.endpoints[next_++];
  auto opened = order_.open();
  if (!opened) return fail(502, opened.error().message);
  socket_ = std::move(*opened);
  const int on = 1;
  setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(endpoint.port);
  address.sin_addr.s_addr = htonl(endpoint.address);
  const int code =
      connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  connecting_ = std::make_unique<FdWatch>(loop_, socket_.get());
  arm(kIngressConnectTimeout);
  if (code != 0 && errno != EINPROGRESS) {
    timer_.arm({}, [self = shared_from_this()] { self->connect_next(); });
    return;
  }
  connecting_->wait_writable([self = shared_from_this()] { self->on_connected(); });
}

void UpstreamRequest::on_connected() {
  const auto self = shared_from_this();
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return connect_next();
  connecting_.reset();
  channel_ = FdChannel::open(loop_, std::move(socket_));
  FdChannel::Events events;
  events.on_bytes = [self](std::string_view bytes) { self->on_bytes(bytes); };
  events.on_end = [self] { self->on_end(); };
  // An endpoint may answer and close before it has read everything: its end is what counts.
  channel_->start(std::move(events));
  channel_->resume_reading();
  channel_->write(order_.bytes);
  arm(kIngressAnswerTimeout);
}

// In place of the answer, or of a connection that takes too long.
void UpstreamRequest::give_up() {
  if (connecting_) return connect_next();
  fail(504, "the endpoint did not answer in time");
}

void UpstreamRequest::on_bytes(std::string_view bytes) {
  const auto self = shared_from_this();
  arm(kIngressAnswerTimeout);
  answered_ = true;
  in_.append(bytes);
  in_.erase(0, reader_.feed(in_));
  using State = HttpResponseReader::State;
  if (reader_.state() == State::kFailed)
    return fail(502, "the endpoint's answer is not valid HTTP");
  if (reader_.state() == State::kHead) return;
  if (!head_passed_) {
    head_passed_ = true;
    if (reader_.head().status == 101) return upgrade(std::exchange(in_, {}));
    on_head();
  }
  pass_body();
}

void UpstreamRequest::on_head() {
  StreamOptions options;
  options.content_length = reader_.content_length();
  HttpResponse head = passed_head(reader_.head());
  if (order_.adjust_head) order_.adjust_head(head);
  stream_ = responder_.stream(std::move(head), options);
  stream_->on_drain([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->channel_) self->channel_->resume_reading();
  });
}

void UpstreamRequest::pass_body() {
  const std::string body = reader_.take_body();
  if (!body.empty() && !stream_->write(body)) return drop();
  if (reader_.state() == HttpResponseReader::State::kComplete) {
    stream_->finish();
    return drop();
  }
  if (stream_->backlog() > kPumpBacklogBytesMax && channel_) channel_->pause_reading();
}

void UpstreamRequest::on_end() {
  const auto self = shared_from_this();
  if (upgraded_) return drop();
  if (!answered_ && order_.repeatable && next_ < order_.endpoints.size()) {
    channel_->close();
    channel_.reset();
    return connect_next();
  }
  reader_.end();
  if (reader_.state() != HttpResponseReader::State::kComplete) {
    return fail(502, "the endpoint closed the connection before its answer was complete");
  }
  if (!head_passed_) {
    head_passed_ = true;
    on_head();
  }
  pass_body();
}

void UpstreamRequest::upgrade(std::string rest) {
  upgraded_ = true;
  timer_.cancel();
  HttpResponse head;
  for (const auto& header : reader_.head().headers) {
    // Here the hop's headers are the point.
    if (header.name != "date" && header.name != "content-length" &&
        header.name != "transfer-encoding") {
      head.headers.push_back(header);
    }
  }
  responder_.upgrade(std::move(head), [self = shared_from_this(),
                                       rest = std::move(rest)](std::shared_ptr<ByteStream> client) {
    const auto channel = self->channel_;
    if (!channel) return client->close();
    FdChannel::Events from_endpoint;
    from_endpoint.on_bytes = [client, channel](std::string_view bytes) {
      client->send(bytes);
      if (client->backlog() > kPumpBacklogBytesMax) channel->pause_reading();
    };
    from_endpoint.on_end = [client] { client->close(); };
    from_endpoint.on_broken = [client] { client->close(); };
    from_endpoint.on_drain = [client] { client->resume_reading(); };
    channel->start(std::move(from_endpoint));
    ByteStream::Events from_client;
    from_client.on_bytes = [client, channel](std::string_view bytes) {
      channel->write(bytes);
      if (channel->backlog() > kPumpBacklogBytesMax) client->pause_reading();
    };
    from_client.on_drain = [channel] { channel->resume_reading(); };
    from_client.on_close = [self] { self->drop(); };
    client->start(std::move(from_client));
    if (!rest.empty()) client->send(rest);
  });
}

void UpstreamRequest::fail(int status, const std::string& why) {
  const auto self = shared_from_this();
  // Half an answer must not look like a whole one.
  if (stream_) {
    stream_->abort();
  } else {
    responder_.respond(HttpResponse::text(status, cat(why, "\n")));
  }
  drop();
}

void UpstreamRequest::drop() {
  const auto self = shared_from_this();
  timer_.cancel();
  connecting_.reset();
  if (channel_) channel_->close();
  channel_.reset();
  socket_.reset();
}

}  // namespace minik
