// HttpConnection: one accepted connection, from its handshake to its end, on one loop's thread.
//
//   handshake -> reading <-> answering -> reading …      keep-alive
//                   |           |-> streaming -> reading
//                   |           `-> upgraded -> closed
//                   `-> lingering (an error answer is on its way) -> closed
//
// Internal to the server: responder.h and http_server.h are what others use. A connection lives in
// its server's registry and removes itself when it closes; its FdWatch callbacks therefore hold a
// plain `this`. While an answer is awaited the socket stays watched, so that a client that leaves
// is noticed.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "minik/net/event_loop.h"
#include "minik/net/http_parser.h"
#include "minik/net/http_server.h"
#include "minik/net/responder.h"
#include "minik/net/transport.h"

namespace minik {

class HttpConnection;

// What connections share with their server; outlives it while a connection's answer is still out.
struct HttpServerShared {
  HttpServerOptions options;
  HttpHandler handler;
  // Called on the connection's loop when it has closed.
  std::function<void(HttpConnection*)> on_closed;
  std::atomic<bool> stopping = false;
  // Of all connections, as their loops count them.
  std::atomic<size_t> body_bytes = 0;
  std::atomic<size_t> unsent_bytes = 0;
};

// The link between a Responder on any thread and its connection.
class HttpExchange {
 public:
  HttpExchange(std::weak_ptr<HttpConnection> connection, std::shared_ptr<EventLoop> loop)
      : connection_(std::move(connection)), loop_(std::move(loop)) {}

  // What Responders hold: when the last of them goes unanswered, the request is answered 500.
  static std::shared_ptr<HttpExchange> handle_of(const std::shared_ptr<HttpExchange>& exchange);

  // True for the one answer that takes effect.
  bool claim() { return !answered_.exchange(true); }
  // On the loop's thread, now or soon; `gone` instead when the connection is no more.
  void with_connection(std::function<void(HttpConnection&)> action, Task gone = nullptr);
  const std::shared_ptr<EventLoop>& loop() const { return loop_; }
  bool lost() const { return lost_; }

  // The rest belongs to the loop's thread.
  void set_on_close(Task task);
  void closed();
  void completed();
  // The answer is a stream of bytes from now on, which tells of its own end.
  void upgraded() { on_close_ = nullptr, over_ = true; }
  void hold(std::shared_ptr<void> thing);

 private:
  std::weak_ptr<HttpConnection> connection_;
  std::shared_ptr<EventLoop> loop_;
  std::atomic<bool> answered_ = false;
  Task on_close_;
  std::atomic<bool> lost_ = false;  // before its answer was complete; set on the loop
  bool over_ = false;
  bool ended_ = false;  // nothing is held any more
  std::vector<std::shared_ptr<void>> held_;
};

class HttpStream;
class IncomingBody;
class UpgradedStream;

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  HttpConnection(std::shared_ptr<HttpServerShared> server, std::shared_ptr<TlsServer> tls,
                 std::shared_ptr<EventLoop> loop, UniqueFd fd, std::string remote_address);
  ~HttpConnection();

  void start();
  // No further request; what is being answered is finished, streams and upgrades are ended.
  void begin_stop();
  void abort();
  // When it began to wait for a handshake or a request, if that is what it does.
  std::optional<Instant> waiting_since() const;

  // For HttpExchange and the streams.
  void respond(HttpResponse response);
  void begin_stream(HttpResponse head, std::shared_ptr<HttpStream> stream);
  void upgrade(HttpResponse head, const std::shared_ptr<UpgradedStream>& stream);
  void send(std::string bytes);
  void end_stream();
  void close_after_flush();
  size_t unsent_bytes() const { return out_bytes_; }
  void start_upgraded();
  void pause_reading();
  void resume_reading();
  void body_wanted();
  bool chunked() const { return version_ >= 11; }
  const std::shared_ptr<EventLoop>& loop() const { return loop_; }

 private:
  enum class State { kHandshake, kReading, kAnswering, kStreaming, kUpgraded, kLingering, kClosed };

  void on_readable();
  void on_writable();
  void read_soon();
  void continue_handshake();
  void read_some();
  void process_input();
  void body_arrives();
  void pass_body();
  void end_body();
  void count_body(size_t bytes);
  void count_unsent();
  void fail_request(int status, const std::string& message);
  void fail_request(HttpResponse response);
  void dispatch();
  std::string head_of(const HttpResponse& response, std::string_view framing) const;
  void maybe_compress(HttpResponse& response) const;
  void exchange_done();
  void wait_readable();
  bool wants_input() const;
  void flush();
  void flushed(bool was_blocked);
  void linger();
  void close();
  void set_deadline(Duration delay);
  void clear_deadline() { deadline_ = {}; }
  void on_deadline();

  const std::shared_ptr<HttpServerShared> server_;
  const std::shared_ptr<TlsServer> tls_;
  const std::shared_ptr<EventLoop> loop_;
  const std::string remote_address_;
  Transport transport_;
  FdWatch watch_;
  HttpRequestParser parser_;

  State state_ = State::kHandshake;
  PeerIdentity peer_;
  std::string in_;  // read and not yet parsed
  std::deque<std::string> out_;
  size_t out_offset_ = 0;  // sent of out_.front()
  size_t out_bytes_ = 0;
  bool write_blocked_ = false;
  bool processing_ = false;  // process_input() is on the stack
  bool continued_ = false;   // "100 Continue" is said
  bool answered_ = false;    // the answer is in out_ up to its end
  bool head_begun_ = false;  // bytes of the next request have come
  bool body_begun_ = false;
  bool body_admitted_ = false;
  bool close_after_flush_ = false;
  bool paused_ = false;  // by the user of the upgraded stream

  // Of the request in work.
  int version_ = 11;
  bool keep_alive_ = true;
  bool head_request_ = false;
  bool accepts_gzip_ = false;
  std::shared_ptr<HttpExchange> exchange_;
  std::shared_ptr<HttpStream> stream_;
  std::shared_ptr<UpgradedStream> upgraded_;
  std::shared_ptr<IncomingBody> body_;  // that is streamed and has not come whole
  bool expects_continue_ = false;

  // Moved far more often than it passes, so the timer is only set when none is pending and looks at
  // the deadline when it fires. 0: none.
  Instant deadline_;
  Instant body_deadline_;  // however the body trickles
  Instant waiting_since_;
  size_t counted_body_bytes_ = 0, counted_unsent_bytes_ = 0;  // of ours in the server's sums
  ScopedTimer timer_;
  Instant timer_at_;
};

}  // namespace minik
