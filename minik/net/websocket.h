// WebSocket (RFC 6455): the framing as a pure state machine, and a message-oriented connection on
// an upgraded ByteStream.
//
//   client                                server
//   GET, Upgrade: websocket  ----------->  accept_websocket() picks the subprotocol
//   <-----------------------------------   101, Sec-WebSocket-Accept
//   frames (masked)  <----------------->   frames
//   close  <---------------------------->  close, then the TCP connection ends
//
// WebSocketCodec has no socket and no clock: bytes in, messages out. It refuses what the RFC
// refuses (reserved bits, unmasked clients, broken fragmentation, long control frames) and messages
// over a limit, and names the close code. Extensions are not negotiated; text is not checked to be
// UTF-8, its readers treat it as bytes. WebSocketConnection lives on its stream's loop, answers
// pings and closes by itself, and tells of its end once.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "minik/net/byte_stream.h"
#include "minik/net/http_message.h"
#include "minik/net/limits.h"

namespace minik {

enum class WebSocketOpcode : uint8_t {
  kContinuation = 0,
  kText = 1,
  kBinary = 2,
  kClose = 8,
  kPing = 9,
  kPong = 10,
};

// Close codes (section 7.4.1).
inline constexpr uint16_t kWebSocketNormalClosure = 1000;
inline constexpr uint16_t kWebSocketProtocolError = 1002;
inline constexpr uint16_t kWebSocketMessageTooBig = 1009;

class WebSocketCodec {
 public:
  // Who sends what this codec reads: clients mask their frames, servers do not.
  enum class Peer { kClient, kServer };

  struct Message {
    WebSocketOpcode opcode;  // never kContinuation: fragments are joined
    std::string_view payload;
  };
  // Returns false to take no more (the rest of the bytes is dropped).
  using OnMessage = std::function<bool(const Message&)>;

  explicit WebSocketCodec(Peer peer, size_t message_bytes_max = kWebSocketMessageBytesMax)
      : peer_(peer), message_bytes_max_(message_bytes_max) {}

  // The close code (1002 protocol error, 1009 too big) when the peer broke the rules; then the
  // codec takes nothing more.
  std::optional<uint16_t> receive(std::string_view bytes, const OnMessage& on_message);

  // A whole message as one frame; masked when a mask is given, as clients must.
  static void append_frame(std::string& out, WebSocketOpcode opcode, std::string_view payload,
                           std::optional<uint32_t> mask = std::nullopt);

 private:
  enum class Step { kGoOn, kNeedMore, kStopped, kFailed };
  Step read_head(std::string_view& bytes);
  Step read_payload(std::string_view& bytes, const OnMessage& on_message);
  Step fail(uint16_t code) {
    error_ = code;
    return Step::kFailed;
  }

  const Peer peer_;
  const size_t message_bytes_max_;
  std::optional<uint16_t> error_;

  std::array<uint8_t, 14> head_{};  // of the frame being read, as far as it has come
  size_t head_size_ = 0;
  bool in_payload_ = false;
  bool final_ = false;
  WebSocketOpcode opcode_ = WebSocketOpcode::kContinuation;
  std::array<uint8_t, 4> mask_{};
  uint64_t payload_left_ = 0;
  uint64_t payload_at_ = 0;  // position under the mask

  std::string message_;  // of the data message so far
  std::optional<WebSocketOpcode> message_opcode_;
  std::string control_;
};

// Whether the request asks for a WebSocket.
bool wants_websocket(const HttpRequest& request);

struct WebSocketAccept {
  HttpResponse head;     // for Responder::upgrade
  std::string protocol;  // the client's first choice that is supported; empty when it named none
};
// kBadRequest for a broken handshake and for subprotocols of which none is supported.
Result<WebSocketAccept> accept_websocket(const HttpRequest& request,
                                         const std::vector<std::string>& protocols);

class WebSocketConnection : public std::enable_shared_from_this<WebSocketConnection> {
 public:
  struct Events {
    std::function<void(WebSocketOpcode, std::string_view)> on_message = {};  // kText or kBinary
    Task on_close = {};
    Task on_drain = {};
  };

  explicit WebSocketConnection(std::shared_ptr<ByteStream> stream);

  void start(Events events);
  void send(WebSocketOpcode opcode, std::string_view payload);
  // Says goodbye once and ends the connection after what was sent.
  void close(uint16_t code, std::string_view reason);
  size_t backlog() const { return stream_->backlog(); }
  void pause_reading() { stream_->pause_reading(); }
  void resume_reading() { stream_->resume_reading(); }
  const std::shared_ptr<EventLoop>& loop() const { return stream_->loop(); }

 private:
  void received(std::string_view bytes);
  bool handle(const WebSocketCodec::Message& message);

  const std::shared_ptr<ByteStream> stream_;
  WebSocketCodec codec_;
  std::shared_ptr<Events> events_;
  bool closing_ = false;
};

// A ByteStream made of the binary messages of a WebSocket: how kubectl tunnels SPDY.
std::shared_ptr<ByteStream> tunnel_through(std::shared_ptr<WebSocketConnection> connection);

}  // namespace minik
