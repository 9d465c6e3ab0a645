// Responder: the one answer to one HTTP request, given at any time from any thread.
//
// Exactly one of respond(), stream() and upgrade() takes effect, the first; a Responder whose last
// copy goes without an answer answers 500, so that no client waits for ever. Answers to a client
// that has gone are dropped. on_close() tells when that happens.
//
//   handler(request, responder) --post--> control thread --respond()--> loop of the connection -->
//   bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "control/base/executor.h"
#include "minik/net/byte_stream.h"
#include "minik/net/http_message.h"
#include "minik/net/limits.h"

namespace minik {

// A response that goes on: a watch, a followed log. Thread-safe; writes that gather while the loop
// is busy leave as one chunk. Who lags more than the limit behind is cut off (write() returns
// false, the connection is reset): a client that reads slowly must not fill the server's memory.
class ResponseStream {
 public:
  virtual ~ResponseStream() = default;
  // False when the client is gone or was cut off just now.
  virtual bool write(std::string_view bytes) = 0;
  // Bytes not yet taken by the client's socket: a source that can wait reads on below a mark of its
  // own.
  virtual size_t backlog() const = 0;
  // Called on the loop each time the backlog has become empty. Set it before the first write.
  virtual void on_drain(Task task) = 0;
  virtual void finish() = 0;
  // Resets the connection: the client must not take what came so far for the whole.
  virtual void abort() = 0;
};

struct StreamOptions {
  size_t backlog_bytes_max = kStreamBacklogBytesMax;
  // When it is known, it is announced and the body goes without chunks; who opens the stream keeps the word.
  // An answer to HEAD has one, and no body.
  std::optional<uint64_t> content_length = {};
  // The client may rest for as long as it likes, as `kubectl logs -f | less` does; its backlog is bounded all the same.
  bool may_rest = false;
};

class HttpExchange;

class Responder {
 public:
  explicit Responder(std::shared_ptr<HttpExchange> exchange);
  ~Responder();
  Responder(const Responder&);
  Responder& operator=(const Responder&);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;

  void respond(HttpResponse response) const;
  // The head's body, if any, is the first chunk.
  std::shared_ptr<ResponseStream> stream(HttpResponse head, StreamOptions options = {}) const;
  // Switches protocols with the head's headers (101 whatever its status says); `opened` gets the
  // stream on the loop of the connection.
  void upgrade(HttpResponse head, std::function<void(std::shared_ptr<ByteStream>)> opened) const;

  // Kept until the answer is over, for a stream or an upgraded connection until its end; released on any thread.
  void hold(std::shared_ptr<void> thing) const;

  // The connection has been lost: nobody will hear an answer. Of any thread.
  bool client_gone() const;

  // Called once on the loop when the connection is lost before the answer has left whole; also for
  // a stream until it is finished. Replaces an earlier one. Called soon if it is lost already.
  void on_close(Task task) const;

  // The loop of the connection.
  const std::shared_ptr<EventLoop>& loop() const;

 private:
  std::shared_ptr<HttpExchange> exchange_;
};

using HttpHandler = std::function<void(HttpRequest request, Responder responder)>;

}  // namespace minik
