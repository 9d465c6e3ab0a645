// ByteStream: a connection after its upgrade, as bytes in both directions with back-pressure.
//
// It belongs to one EventLoop and is used on that loop's thread alone. start() hands over what had
// already arrived; every callback comes on the loop. on_close comes exactly once, for an end by the
// peer, by a failure or by close(), and releases the callbacks: nothing follows it. The user keeps
// the stream by its shared pointer and may drop that any time; the connection itself ends by
// close().
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string_view>

#include "minik/net/event_loop.h"

namespace minik {

class ByteStream {
 public:
  struct Events {
    std::function<void(std::string_view)> on_bytes = {};
    Task on_close = {};
    Task on_drain = {};  // what a send had to leave waiting has left
  };

  virtual ~ByteStream() = default;
  virtual void start(Events events) = 0;
  virtual void send(std::string_view bytes) = 0;
  // Bytes that wait for the peer.
  virtual size_t backlog() const = 0;
  // A paused stream reads nothing from its socket (a few bytes that were read already may follow).
  virtual void pause_reading() = 0;
  virtual void resume_reading() = 0;
  // Ends the connection after what was sent.
  virtual void close() = 0;
  virtual const std::shared_ptr<EventLoop>& loop() const = 0;
};

}  // namespace minik
