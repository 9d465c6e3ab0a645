// SpdyConnection: a SpdySession on a ByteStream (bare, or tunnelled through a WebSocket).
//
// Moves bytes between the two; whoever acts on session() from outside of its callbacks calls
// flush() afterwards. Reading pauses while any user asked for it, and while a peer that does not
// read its answers lets too much wait. Lives on the stream's loop, kept by the stream's callbacks
// until the connection ends; on_close comes once.
#pragma once

#include <cstddef>
#include <memory>

#include "minik/net/byte_stream.h"
#include "minik/net/spdy.h"

namespace minik {

class SpdyConnection : public std::enable_shared_from_this<SpdyConnection> {
 public:
  static std::shared_ptr<SpdyConnection> open(std::shared_ptr<ByteStream> stream,
                                              SpdySession::Role role);

  // on_drain: what had to wait for the transport has left.
  void start(SpdySession::Callbacks callbacks, Task on_close, Task on_drain);
  SpdySession& session() { return *session_; }
  void flush();
  size_t backlog() const { return stream_->backlog(); }
  // Counted: as many resumes as pauses let it read again.
  void pause_reading();
  void resume_reading();
  // Says GOAWAY and ends the connection after what was sent.
  void close();
  const std::shared_ptr<EventLoop>& loop() const { return stream_->loop(); }

 private:
  SpdyConnection(std::shared_ptr<ByteStream> stream, SpdySession::Role role)
      : stream_(std::move(stream)), role_(role) {}
  void received(std::string_view bytes);

  const std::shared_ptr<ByteStream> stream_;
  const SpdySession::Role role_;
  std::unique_ptr<SpdySession> session_;
  int pauses_ = 0;
  bool paused_by_backlog_ = false;
  bool receiving_ = false;
  bool closed_ = false;
};

}  // namespace minik
