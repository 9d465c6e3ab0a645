// The two kinds of open-ended answers of an HttpConnection, and the request's body that is still on its way, behind the
// interfaces of responder.h, byte_stream.h and request_body.h. Internal to the server.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "minik/net/http_connection.h"
#include "minik/net/request_body.h"

namespace minik {

// Writers on any thread append to `pending_`; the loop takes all of it at once, as one chunk.
class HttpStream final : public ResponseStream, public std::enable_shared_from_this<HttpStream> {
 public:
  HttpStream(std::shared_ptr<HttpExchange> exchange, StreamOptions options)
      : exchange_(std::move(exchange)), options_(options) {}

  bool write(std::string_view bytes) override;
  size_t backlog() const override;
  void on_drain(Task task) override;
  void finish() override;
  void abort() override;

  const StreamOptions& options() const { return options_; }
  // On the loop: the head has been sent; unsent bytes of the connection have changed; it is over.
  void opened(HttpConnection& connection);
  void progressed(size_t unsent_bytes);
  void closed();

 private:
  void schedule_flush();
  void cut_off();  // under mutex_
  void flush(HttpConnection& connection);

  const std::shared_ptr<HttpExchange> exchange_;
  const StreamOptions options_;
  mutable std::mutex mutex_;
  std::string pending_;      // under mutex_, as all below
  size_t unsent_bytes_ = 0;  // what the connection holds of this stream
  bool flush_posted_ = false;
  bool opened_ = false;
  bool finished_ = false;
  bool closed_ = false;
  Task on_drain_;
};

class IncomingBody final : public RequestBody {
 public:
  explicit IncomingBody(std::weak_ptr<HttpConnection> connection) : connection_(std::move(connection)) {}

  void start(Events events) override;
  void pause() override { paused_ = true; }
  void resume() override;
  void discard() override { events_ = nullptr; }

  // From the connection.
  bool wanted() const { return events_ && !paused_; }
  void received(std::string_view bytes);
  void ended();

 private:
  std::weak_ptr<HttpConnection> connection_;
  // Shared, so that a callback which gives the body up keeps its feet.
  std::shared_ptr<Events> events_;
  bool paused_ = false;
};

class UpgradedStream final : public ByteStream {
 public:
  UpgradedStream(std::weak_ptr<HttpConnection> connection, std::shared_ptr<EventLoop> loop)
      : connection_(std::move(connection)), loop_(std::move(loop)) {}

  void start(Events events) override;
  void send(std::string_view bytes) override;
  size_t backlog() const override;
  void pause_reading() override;
  void resume_reading() override;
  void close() override;
  const std::shared_ptr<EventLoop>& loop() const override { return loop_; }

  // From the connection.
  bool started() const { return started_; }
  void received(std::string_view bytes);
  void drained();
  void closed();

 private:
  std::weak_ptr<HttpConnection> connection_;
  std::shared_ptr<EventLoop> loop_;
  // Shared, so that a callback which closes the stream does not pull itself away from under its
  // feet.
  std::shared_ptr<Events> events_;
  bool started_ = false;
  bool closed_ = false;
};

}  // namespace minik
