// RequestBody: the body of a request as it comes from the client, for a handler that passes it on instead of reading it.
//
//   connection --on_bytes … on_bytes, on_end--> whoever passes it on
//              <--pause(), resume()--
//
// Nothing is read of it before start(), and while it is paused no more than a connection's own buffers hold
// (kHttpPipelinedBytesMax and one read). It has no limit of size; a client that sends nothing for the server's
// progress_timeout loses its connection, which the Responder's on_close tells. An answer that is complete before the
// body has come ends the connection.
//
// Belongs to the loop of the connection, and is kept by a shared pointer. Callbacks come from the loop, never from
// inside a call.
#pragma once

#include <functional>
#include <string_view>

#include "control/base/executor.h"

namespace minik {

class RequestBody {
 public:
  struct Events {
    std::function<void(std::string_view)> on_bytes = {};
    Task on_end = {};  // it has come whole
  };

  virtual ~RequestBody() = default;
  virtual void start(Events events) = 0;
  virtual void pause() = 0;
  virtual void resume() = 0;
  // Nobody wants the rest: no callback follows.
  virtual void discard() = 0;
};

}  // namespace minik
