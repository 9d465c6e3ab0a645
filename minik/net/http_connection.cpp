#include "minik/net/http_connection.h"

#include <array>
#include <ctime>
#include <utility>

#include "control/base/text.h"
#include "minik/net/gzip.h"
#include "minik/net/http_streams.h"

namespace minik {
namespace {

// Reads of one readiness, so that one busy connection does not hold its loop.
constexpr int kReadsPerTurn = 8;
// Below this, head and body leave in one piece; above, the copy would cost more than a second
// write.
constexpr size_t kJoinedBodyBytesMax = 64 * 1024;
constexpr size_t kIdleBufferBytesMax = 4 * 1024;
constexpr size_t kGzipBytesMax = size_t{1} << 30;

// RFC 9110 date, made once a second on each loop's thread.
std::string_view date_text(WallTime now) {
  thread_local time_t made_for = -1;
  thread_local std::array<char, 40> text;
  thread_local size_t size = 0;
  if (const time_t second = now.ns / 1'000'000'000; second != made_for) {
    tm calendar{};
    gmtime_r(&second, &calendar);
    size = strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &calendar);
    made_for = second;
  }
  return {text.data(), size};
}

void append_header(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ");
  // A line break in a value would let its author write headers of his own.
  for (const char c : value) head += c == '\r' || c == '\n' ? ' ' : c;
  head += "\r\n";
}

}  // namespace

HttpConnection::HttpConnection(std::shared_ptr<HttpServerShared> server,
                               std::shared_ptr<TlsServer> tls, std::shared_ptr<EventLoop> loop,
                               UniqueFd fd, std::string remote_address)
    : server_(std::move(server)),
      tls_(std::move(tls)),
      loop_(std::move(loop)),
      remote_address_(std::move(remote_address)),
      transport_(std::move(fd), tls_.get()),
      watch_(*loop_, transport_.fd()),
      parser_(server_->options.parser, server_->options.streams_body),
      timer_(*loop_) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start() {
  waiting_since_ = loop_->now();
  set_deadline(server_->options.handshake_timeout);
  continue_handshake();
}

void HttpConnection::continue_handshake() {
  switch (transport_.handshake()) {
    case IoStatus::kOk:
      break;
    case IoStatus::kWantRead:
      return wait_readable();
    case IoStatus::kWantWrite:
      return watch_.wait_writable([this] { on_writable(); });
    default:
      return close();
  }
  peer_ = transport_.peer_identity();
  state_ = State::kReading;
  set_deadline(server_->options.header_timeout);
  wait_readable();
}

void HttpConnection::wait_readable() {
  if (!wants_input() || watch_.waiting_readable()) return;
  if (transport_.has_pending()) return read_soon();
  watch_.wait_readable([this] { on_readable(); });
}

void HttpConnection::read_soon() {
  loop_->post([weak = weak_from_this()] {
    if (const auto self = weak.lock(); self && self->wants_input()) self->read_some();
  });
}

bool HttpConnection::wants_input() const {
  switch (state_) {
    case State::kHandshake:
    case State::kReading:
    case State::kLingering:
      return true;
    case State::kAnswering:
    case State::kStreaming:
      return in_.size() < kHttpPipelinedBytesMax;
    case State::kUpgraded:
      return upgraded_ && upgraded_->started() && !paused_;
    case State::kClosed:
      return false;
  }
  return false;
}

void HttpConnection::on_readable() {
  const auto self = shared_from_this();
  if (state_ == State::kHandshake) return continue_handshake();
  read_some();
}

void HttpConnection::on_writable() {
  const auto self = shared_from_this();
  if (state_ == State::kHandshake) return continue_handshake();
  write_blocked_ = false;
  flush();
  if (!out_.empty() || state_ == State::kClosed) return;
  flushed(true);
}

void HttpConnection::read_some() {
  thread_local std::array<char, kPumpReadBytes> buffer;
  for (int turn = 0; turn < kReadsPerTurn && wants_input(); ++turn) {
    const IoResult got = transport_.read(buffer);
    if (got.status == IoStatus::kWantRead || got.status == IoStatus::kWantWrite) break;
    // The client has left. What it still wanted to hear nobody will hear.
    if (got.status != IoStatus::kOk) return close();
    const std::string_view bytes(buffer.data(), got.bytes);
    if (state_ == State::kUpgraded) {
      upgraded_->received(bytes);
    } else if (state_ != State::kLingering) {
      in_.append(bytes);
      process_input();
    }
    if (got.bytes < buffer.size() && !transport_.has_pending()) break;
  }
  wait_readable();
}

void HttpConnection::process_input() {
  if (body_) return pass_body();
  if (processing_) return;  // the loop below goes on
  processing_ = true;
  while (state_ == State::kReading && !in_.empty()) {
    if (!head_begun_) {
      head_begun_ = true;
      set_deadline(server_->options.header_timeout);
    }
    const size_t taken = parser_.feed(in_);
    if (taken == in_.size()) {
      in_.clear();
      if (in_.capacity() > kIdleBufferBytesMax) in_.shrink_to_fit();
    } else {
      in_.erase(0, taken);
    }
    if (parser_.state() == HttpRequestParser::State::kComplete) {
      dispatch();
      continue;
    }
    if (parser_.state() == HttpRequestParser::State::kFailed) {
      fail_request(parser_.error_status(), parser_.error_message());
    } else if (parser_.state() == HttpRequestParser::State::kBody) {
      if (parser_.streams_body()) {
        dispatch();
      } else {
        body_arrives();
      }
    }
    break;
  }
  processing_ = false;
}

void HttpConnection::body_arrives() {
  const HttpServerOptions& options = server_->options;
  if (!std::exchange(body_begun_, true)) {
    body_deadline_ = options.body_timeout > Duration{} ? loop_->now() + options.body_timeout : Instant{};
  }
  set_deadline(options.progress_timeout);
  if (body_deadline_ != Instant{} && body_deadline_ < deadline_) set_deadline(body_deadline_ - loop_->now());
  count_body(parser_.request().body.size());
  if (server_->body_bytes > options.total_body_bytes_max) {
    HttpResponse busy = HttpResponse::text(429, "too many large requests at once, please try again later\n");
    busy.headers.push_back({"retry-after", "1"});
    return fail_request(std::move(busy));
  }
  if (parser_.request().body.size() > options.unadmitted_body_bytes_max && !std::exchange(body_admitted_, true) &&
      options.admit_body) {
    HttpRequest head = parser_.request();
    head.body.clear();
    head.peer = peer_;
    head.remote_address = remote_address_;
    if (auto refusal = options.admit_body(head)) return fail_request(*std::move(refusal));
  }
  if (!continued_ && parser_.expects_continue()) {
    continued_ = true;
    send("HTTP/1.1 100 Continue\r\n\r\n");
  }
}

// To whom it is streamed, as far as he takes it.
void HttpConnection::pass_body() {
  using Parsed = HttpRequestParser::State;
  const auto self = shared_from_this();
  const auto body = body_;
  while (body_ && body->wanted()) {
    if (parser_.state() == Parsed::kBody && !in_.empty()) in_.erase(0, parser_.feed(in_));
    if (parser_.state() == Parsed::kFailed) return close();
    if (const std::string bytes = parser_.take_body(); !bytes.empty()) {
      body->received(bytes);
      continue;
    }
    if (parser_.state() == Parsed::kComplete) {
      body_ = nullptr;
      body->ended();
    }
    break;
  }
  // The next request, or an answer that is stuck, has a deadline of its own.
  if ((state_ != State::kAnswering && state_ != State::kStreaming) || write_blocked_) return;
  if (body_ && body_->wanted()) {
    set_deadline(server_->options.progress_timeout);
  } else {
    clear_deadline();
  }
}

void HttpConnection::body_wanted() {
  loop_->post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || !self->body_) return;
    if (std::exchange(self->expects_continue_, false) && self->state_ == State::kAnswering && !self->answered_) {
      self->send("HTTP/1.1 100 Continue\r\n\r\n");
    }
    self->pass_body();
    self->wait_readable();
  });
}

// Of a body that nobody waits for any more.
void HttpConnection::end_body() {
  if (const auto body = std::exchange(body_, nullptr)) body->discard();
}

void HttpConnection::count_body(size_t bytes) {
  server_->body_bytes += bytes - std::exchange(counted_body_bytes_, bytes);
}

// Only of who makes us wait: what leaves at once costs no count.
void HttpConnection::count_unsent() {
  const size_t now = write_blocked_ ? out_bytes_ : 0;
  if (now != counted_unsent_bytes_) server_->unsent_bytes += now - std::exchange(counted_unsent_bytes_, now);
}

std::optional<Instant> HttpConnection::waiting_since() const {
  if (state_ != State::kHandshake && state_ != State::kReading) return std::nullopt;
  return waiting_since_;
}

void HttpConnection::fail_request(int status, const std::string& message) {
  const auto& make = server_->options.error_response;
  fail_request(make ? make(status, message) : HttpResponse::text(status, message + "\n"));
}

void HttpConnection::fail_request(HttpResponse response) {
  state_ = State::kAnswering;
  keep_alive_ = false;
  version_ = 11;
  head_request_ = accepts_gzip_ = false;
  exchange_ = nullptr;
  respond(std::move(response));
}

void HttpConnection::dispatch() {
  clear_deadline();
  state_ = State::kAnswering;
  keep_alive_ = parser_.keep_alive() && !server_->stopping;
  const bool whole = parser_.state() == HttpRequestParser::State::kComplete;
  expects_continue_ = !whole && parser_.expects_continue();
  HttpRequest request = whole ? parser_.take_request() : parser_.take_head();
  if (!whole) request.streamed_body = body_ = std::make_shared<IncomingBody>(weak_from_this());
  if (request.body.size() > kHttpUnadmittedBodyBytesMax) count_body(request.body.size());
  version_ = request.version;
  head_request_ = request.method == "HEAD";
  accepts_gzip_ = request.header_has_token("accept-encoding", "gzip");
  request.peer = peer_;
  request.remote_address = remote_address_;
  exchange_ = std::make_shared<HttpExchange>(weak_from_this(), loop_);
  server_->handler(std::move(request), Responder(HttpExchange::handle_of(exchange_)));
}

std::string HttpConnection::head_of(const HttpResponse& response, std::string_view framing) const {
  std::string head;
  head.reserve(256);
  head.append(version_ >= 11 ? "HTTP/1.1 " : "HTTP/1.0 ");
  head += cat(response.status, " ", http_status_text(response.status), "\r\n");
  for (const HttpHeader& header : response.headers) append_header(head, header.name, header.value);
  if (response.status != 101) append_header(head, "date", date_text(loop_->wall_now()));
  head += framing;
  if (response.status != 101 && !keep_alive_) {
    head += "connection: close\r\n";
  } else if (version_ < 11) {
    head += "connection: keep-alive\r\n";
  }
  head += "\r\n";
  return head;
}

void HttpConnection::maybe_compress(HttpResponse& response) const {
  if (!accepts_gzip_ || response.body.size() < server_->options.gzip_bytes_min ||
      response.body.size() > kGzipBytesMax) {
    return;
  }
  for (const HttpHeader& header : response.headers) {
    if (equal_ignoring_case(header.name, "content-encoding")) return;
  }
  response.body = gzip(response.body);
  response.headers.push_back({"content-encoding", "gzip"});
  response.headers.push_back({"vary", "Accept-Encoding"});
}

void HttpConnection::respond(HttpResponse response) {
  if (state_ != State::kAnswering) return;
  if (body_) keep_alive_ = false;
  maybe_compress(response);
  const bool bodiless = response.status == 204 || response.status == 304;
  std::string out = head_of(
      response, bodiless ? std::string() : cat("content-length: ", response.body.size(), "\r\n"));
  answered_ = true;
  if (head_request_ || bodiless) {
    send(std::move(out));
  } else if (response.body.size() <= kJoinedBodyBytesMax) {
    out += response.body;
    send(std::move(out));
  } else {
    out_bytes_ += out.size();
    out_.push_back(std::move(out));
    send(std::move(response.body));
  }
}

void HttpConnection::begin_stream(HttpResponse head, std::shared_ptr<HttpStream> stream) {
  if (state_ != State::kAnswering) return stream->closed();
  state_ = State::kStreaming;
  stream_ = std::move(stream);
  const auto length = stream_->options().content_length;
  if (body_ || (!chunked() && !length)) keep_alive_ = false;
  const bool bodiless = head.status == 204 || head.status == 304;
  send(head_of(head, length ? (bodiless ? "" : cat("content-length: ", *length, "\r\n"))
                            : (chunked() ? "transfer-encoding: chunked\r\n" : "")));
  if (state_ == State::kStreaming) stream_->opened(*this);
}

void HttpConnection::upgrade(HttpResponse head, const std::shared_ptr<UpgradedStream>& stream) {
  if (state_ != State::kAnswering) return stream->closed();
  head.status = 101;
  state_ = State::kUpgraded;
  end_body();
  upgraded_ = stream;
  send(head_of(head, {}));
}

void HttpConnection::start_upgraded() {
  loop_->post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self || self->state_ != State::kUpgraded) return;
    if (!self->in_.empty()) self->upgraded_->received(std::exchange(self->in_, {}));
    self->wait_readable();
  });
}

void HttpConnection::pause_reading() {
  paused_ = true;
}

void HttpConnection::resume_reading() {
  if (!std::exchange(paused_, false)) return;
  wait_readable();
}

void HttpConnection::send(std::string bytes) {
  if (state_ == State::kClosed || state_ == State::kLingering) return;
  out_bytes_ += bytes.size();
  if (!bytes.empty()) out_.push_back(std::move(bytes));
  if (write_blocked_) return;
  flush();
  if (out_.empty() && state_ != State::kClosed) flushed(false);
}

void HttpConnection::flush() {
  while (!out_.empty()) {
    const IoResult sent = transport_.write(std::string_view(out_.front()).substr(out_offset_));
    if (sent.status == IoStatus::kWantWrite || sent.status == IoStatus::kWantRead) {
      write_blocked_ = true;
      count_unsent();
      if (out_bytes_ > kHttpUnsentBytesFree && server_->unsent_bytes > server_->options.total_unsent_bytes_max) {
        return close();
      }
      if (!upgraded_ && !(stream_ && stream_->options().may_rest)) set_deadline(server_->options.progress_timeout);
      watch_.wait_writable([this] { on_writable(); });
      break;
    }
    if (sent.status != IoStatus::kOk) return close();
    out_offset_ += sent.bytes;
    out_bytes_ -= sent.bytes;
    if (out_offset_ == out_.front().size()) {
      out_.pop_front();
      out_offset_ = 0;
    }
  }
  count_unsent();
  if (stream_) stream_->progressed(out_bytes_);
}

// Everything has left for the kernel.
void HttpConnection::flushed(bool was_blocked) {
  if (was_blocked) clear_deadline();
  if (was_blocked && body_ && body_->wanted()) set_deadline(server_->options.progress_timeout);
  if (close_after_flush_) return linger();
  if (answered_) return exchange_done();
  if (was_blocked && upgraded_) upgraded_->drained();
}

void HttpConnection::end_stream() {
  if (state_ != State::kStreaming) return;
  answered_ = true;
  if (out_.empty()) exchange_done();
}

void HttpConnection::exchange_done() {
  answered_ = false;
  if (exchange_) exchange_->completed();
  exchange_ = nullptr;
  stream_ = nullptr;
  count_body(0);
  if (!keep_alive_ || server_->stopping) return linger();
  state_ = State::kReading;
  parser_.reset();
  continued_ = false;
  head_begun_ = body_begun_ = body_admitted_ = false;
  waiting_since_ = loop_->now();
  set_deadline(server_->options.idle_timeout);
  if (!in_.empty() && !processing_) {
    // A turn of its own: a client that pipelines must not grow the stack.
    loop_->post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->process_input();
        self->wait_readable();
      }
    });
  }
  if (!processing_) wait_readable();
}

void HttpConnection::close_after_flush() {
  close_after_flush_ = true;
  if (out_.empty()) linger();
}

void HttpConnection::linger() {
  if (state_ == State::kClosed || state_ == State::kLingering) return;
  state_ = State::kLingering;
  end_body();
  transport_.shutdown_write();
  in_ = {};
  set_deadline(server_->options.linger_timeout);
  if (const auto upgraded = std::exchange(upgraded_, nullptr)) upgraded->closed();
  wait_readable();
}

void HttpConnection::begin_stop() {
  const auto self = shared_from_this();
  switch (state_) {
    case State::kHandshake:
      return close();
    case State::kReading:
      if (!head_begun_) close();
      return;
    case State::kStreaming: {
      const auto stream = stream_;
      exchange_->closed();
      stream->finish();
      return;
    }
    case State::kUpgraded:
      return close_after_flush();
    default:
      return;  // the answer in work ends the connection, because the server is stopping
  }
}

void HttpConnection::abort() {
  const auto self = shared_from_this();
  close();
}

void HttpConnection::close() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  timer_.cancel();
  out_.clear();
  out_bytes_ = 0;
  count_body(0);
  count_unsent();
  end_body();
  if (const auto exchange = std::exchange(exchange_, nullptr)) exchange->closed();
  if (const auto stream = std::exchange(stream_, nullptr)) stream->closed();
  if (const auto upgraded = std::exchange(upgraded_, nullptr)) upgraded->closed();
  server_->on_closed(this);
}

void HttpConnection::set_deadline(Duration delay) {
  deadline_ = loop_->now() + delay;
  if (timer_.armed() && timer_at_ <= deadline_) return;
  timer_at_ = deadline_;
  timer_.arm(delay, [this] { on_deadline(); });
}

void HttpConnection::on_deadline() {
  if (deadline_ == Instant{}) return;
  const Duration left = deadline_ - loop_->now();
  if (left > Duration{}) {
    timer_at_ = deadline_;
    timer_.arm(left, [this] { on_deadline(); });
    return;
  }
  const auto self = shared_from_this();
  close();
}

}  // namespace minik
