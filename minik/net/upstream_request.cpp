#include "minik/net/upstream_request.h"

#include <algorithm>
#include <optional>
#include <utility>

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

void pass_on_body(const HttpRequest& request, UpstreamOrder& order) {
  using Framing = UpstreamOrder::Framing;
  order.body = request.streamed_body;
  order.body_framing = request.header("content-length").empty() ? Framing::kChunks : Framing::kLength;
}

UpstreamRequest::UpstreamRequest(UpstreamOrder order, Responder responder)
    : order_(std::move(order)),
      responder_(std::move(responder)),
      reader_(order_.method),
      dial_(responder_.loop(), std::move(order_.route)),
      timer_(*responder_.loop()) {}

void UpstreamRequest::begin() {
  responder_.on_close([self = shared_from_this()] { self->drop(); });
  connect_next();
}

void UpstreamRequest::connect_next() {
  dial_.next([self = shared_from_this()](Result<std::shared_ptr<ByteStream>> connected) {
    if (!connected) return self->fail(self->order_.unreachable_status, connected.error().message);
    self->on_connected(*std::move(connected));
  });
}

void UpstreamRequest::on_connected(std::shared_ptr<ByteStream> endpoint) {
  const auto self = shared_from_this();
  endpoint_ = std::move(endpoint);
  ByteStream::Events events;
  events.on_bytes = [self](std::string_view bytes) { self->on_bytes(bytes); };
  events.on_close = [self] { self->on_end(); };
  if (order_.body) {
    events.on_drain = [self] {
      if (!self->stream_) self->timer_.cancel();
      self->order_.body->resume();
    };
  }
  endpoint_->start(std::move(events));
  endpoint_->send(order_.bytes);
  if (order_.body) return send_body();
  wait_for_more();
}

// While the client is waited for, its own connection keeps the time; the endpoint's runs when it takes no more, or has all.
void UpstreamRequest::send_body() {
  const auto self = shared_from_this();
  const bool chunks = order_.body_framing == UpstreamOrder::Framing::kChunks;
  RequestBody::Events events;
  events.on_bytes = [self, chunks](std::string_view bytes) {
    if (!self->endpoint_) return;
    self->timer_.cancel();
    std::string chunk;
    if (chunks) append_http_chunk(chunk, bytes);
    self->endpoint_->send(chunks ? chunk : bytes);
    if (!self->endpoint_ || self->endpoint_->backlog() <= kPumpRequestBytesMax) return;
    self->order_.body->pause();
    self->wait_for_more();
  };
  events.on_end = [self, chunks] {
    if (!self->endpoint_) return;
    if (chunks) self->endpoint_->send(kHttpLastChunk);
    self->wait_for_more();
  };
  order_.body->start(std::move(events));
}

void UpstreamRequest::wait_for_more() {
  timer_.arm(kIngressAnswerTimeout, [self = shared_from_this()] { self->fail(504, "the endpoint did not answer in time"); });
}

void UpstreamRequest::on_bytes(std::string_view bytes) {
  const auto self = shared_from_this();
  wait_for_more();
  answered_ = true;
  in_.append(bytes);
  if (upgraded_) return;  // for whoever takes over
  in_.erase(0, reader_.feed(in_));
  using State = HttpResponseReader::State;
  if (reader_.state() == State::kFailed)
    return fail(502, "the endpoint's answer is not valid HTTP");
  if (reader_.state() == State::kHead) return;
  if (!head_passed_) {
    head_passed_ = true;
    if (reader_.head().status == 101) return upgrade();
    on_head();
  }
  pass_body();
}

void UpstreamRequest::on_head() {
  StreamOptions options;
  if (order_.links && order_.method != "HEAD") links_ = order_.links(reader_.head());
  if (!links_) options.content_length = reader_.content_length();
  HttpResponse head = passed_head(reader_.head());
  if (order_.adjust_head) order_.adjust_head(head);
  if (order_.answered) order_.answered(head.status);
  stream_ = responder_.stream(std::move(head), options);
  stream_->on_drain([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (self && self->endpoint_) self->endpoint_->resume_reading();
  });
}

void UpstreamRequest::pass_body() {
  const bool complete = reader_.state() == HttpResponseReader::State::kComplete;
  std::string body = reader_.take_body();
  if (links_) body = links_->feed(body);
  if (links_ && complete) body += links_->finish();
  if (!body.empty() && !stream_->write(body)) return drop();
  if (complete) {
    stream_->finish();
    return drop();
  }
  if (stream_->backlog() > kPumpBacklogBytesMax && endpoint_) endpoint_->pause_reading();
}

void UpstreamRequest::on_end() {
  const auto self = shared_from_this();
  if (upgraded_) return drop();
  if (!answered_ && order_.repeatable && dial_.has_next()) {
    endpoint_->close();
    endpoint_.reset();
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

void UpstreamRequest::upgrade() {
  upgraded_ = true;
  timer_.cancel();
  if (order_.answered) order_.answered(101);
  HttpResponse head;
  for (const auto& header : reader_.head().headers) {
    // Here the hop's headers are the point.
    if (header.name != "date" && header.name != "content-length" &&
        header.name != "transfer-encoding") {
      head.headers.push_back(header);
    }
  }
  responder_.upgrade(std::move(head), [self = shared_from_this()](std::shared_ptr<ByteStream> client) {
    const auto endpoint = self->endpoint_;
    if (!endpoint) return client->close();
    ByteStream::Events from_endpoint;
    from_endpoint.on_bytes = [client, endpoint](std::string_view bytes) {
      client->send(bytes);
      if (client->backlog() > kPumpBacklogBytesMax) endpoint->pause_reading();
    };
    from_endpoint.on_close = [client] { client->close(); };
    from_endpoint.on_drain = [client] { client->resume_reading(); };
    ByteStream::Events from_client;
    from_client.on_bytes = [client, endpoint](std::string_view bytes) {
      endpoint->send(bytes);
      if (endpoint->backlog() > kPumpBacklogBytesMax) client->pause_reading();
    };
    from_client.on_drain = [endpoint] { endpoint->resume_reading(); };
    from_client.on_close = [self] { self->drop(); };
    client->start(std::move(from_client));
    if (!self->in_.empty()) client->send(std::exchange(self->in_, {}));
    endpoint->start(std::move(from_endpoint));
  });
}

void UpstreamRequest::fail(int status, const std::string& why) {
  const auto self = shared_from_this();
  // Half an answer must not look like a whole one.
  if (stream_) {
    stream_->abort();
  } else {
    if (order_.answered) order_.answered(status);
    responder_.respond(HttpResponse::text(status, cat(why, "\n")));
  }
  drop();
}

void UpstreamRequest::drop() {
  const auto self = shared_from_this();
  timer_.cancel();
  dial_.cancel();
  if (order_.body) order_.body->discard();
  if (endpoint_) endpoint_->close();
  endpoint_.reset();
}

}  // namespace minik
