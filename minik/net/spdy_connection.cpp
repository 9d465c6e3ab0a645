#include "minik/net/spdy_connection.h"

#include <utility>

namespace minik {

std::shared_ptr<SpdyConnection> SpdyConnection::open(std::shared_ptr<ByteStream> stream,
                                                     SpdySession::Role role) {
  return std::shared_ptr<SpdyConnection>(new SpdyConnection(std::move(stream), role));
}

void SpdyConnection::start(SpdySession::Callbacks callbacks, Task on_close, Task on_drain) {
  session_ = std::make_unique<SpdySession>(role_, std::move(callbacks));
  const auto self = shared_from_this();
  stream_->start({.on_bytes = [self](std::string_view bytes) { self->received(bytes); },
                  .on_close =
                      [self, on_close = std::move(on_close)] {
                        self->closed_ = true;
                        if (on_close) on_close();
                        // The callbacks hold the users, who hold this.
                        self->loop()->post([self] { self->session_.reset(); });
                      },
                  .on_drain =
                      [self, on_drain = std::move(on_drain)] {
                        if (std::exchange(self->paused_by_backlog_, false)) self->resume_reading();
                        if (on_drain) on_drain();
                      }});
}

void SpdyConnection::received(std::string_view bytes) {
  if (closed_) return;
  receiving_ = true;
  const bool alive = session_->receive(bytes);
  receiving_ = false;
  flush();
  if (!alive) return close();
  if (backlog() > kWebSocketMessageBytesMax && !paused_by_backlog_) {
    paused_by_backlog_ = true;
    pause_reading();
  }
}

void SpdyConnection::flush() {
  // What callbacks put out while bytes are read leaves once, after them.
  if (closed_ || receiving_ || !session_->has_output()) return;
  stream_->send(session_->take_output());
}

void SpdyConnection::pause_reading() {
  if (pauses_++ == 0) stream_->pause_reading();
}

void SpdyConnection::resume_reading() {
  if (--pauses_ == 0) stream_->resume_reading();
}

void SpdyConnection::close() {
  if (closed_) return;
  session_->go_away();
  receiving_ = false;
  flush();
  closed_ = true;
  stream_->close();
}

}  // namespace minik
