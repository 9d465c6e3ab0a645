// ExecChannels: what a remote command needs of its client, whether it came by WebSocket or by SPDY.
// Internal to remote_command.cpp and its two implementations. On one loop's thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "control/object/value.h"
#include "minik/net/byte_stream.h"
#include "minik/net/channel_frames.h"
#include "minik/net/remote_command.h"

namespace minik {

enum class ExecOutput { kStdout, kStderr };

class ExecChannels {
 public:
  struct Events {
    Task on_ready = {};  // all streams of the client stand
    std::function<void(std::string_view)> on_stdin = {};
    Task on_stdin_end = {};
    std::function<void(uint16_t rows, uint16_t columns)> on_resize = {};
    Task on_drain = {};
    Task on_close = {};  // last, once
  };

  virtual ~ExecChannels() = default;
  virtual void start(Events events) = 0;
  virtual void send(ExecOutput output, std::string_view bytes) = 0;
  virtual size_t backlog() const = 0;
  virtual void pause_stdin() = 0;
  virtual void resume_stdin() = 0;
  // The outcome as a metav1.Status, then the end of the connection.
  virtual void finish(const control::Value& status) = 0;
  virtual const std::shared_ptr<EventLoop>& loop() const = 0;
};

std::shared_ptr<ExecChannels> exec_over_websocket(std::shared_ptr<WebSocketConnection> connection,
                                                  ChannelProtocol protocol,
                                                  RemoteCommandOptions options);

// `version` of the remote command protocol, 1 to 4.
std::shared_ptr<ExecChannels> exec_over_spdy(std::shared_ptr<ByteStream> stream, int version,
                                             RemoteCommandOptions options);

// {"Width":80,"Height":24}, one after the other, however they are cut into messages.
class ResizeReader {
 public:
  void feed(std::string_view bytes, const std::function<void(uint16_t, uint16_t)>& on_resize);

 private:
  std::string partial_;
};

// What the error stream of a protocol without Status carries: nothing for a success.
std::string plain_error_text(const control::Value& status);

}  // namespace minik
