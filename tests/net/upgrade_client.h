// Clients of the upgraded protocols for tests: a WebSocket with its messages, and SPDY over a bare
// connection or over that WebSocket's binary messages.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "minik/net/spdy.h"
#include "minik/net/websocket.h"
#include "tests/net/http_client.h"

namespace minik {

class TestWebSocket {
 public:
  TestWebSocket(uint16_t port, const std::string& path, const std::string& protocols);
  void send(WebSocketOpcode opcode, std::string_view payload);
  // Reads until `done()` or the end of the connection.
  template <typename Done>
  bool read_until(Done done) {
    while (!done()) {
      if (!read_some()) return false;
    }
    return true;
  }
  bool read_some();
  const std::string& head() const { return head_; }
  std::vector<std::string> messages;

 private:
  TestConnection connection_;
  WebSocketCodec codec_{WebSocketCodec::Peer::kServer};
  std::string head_;
};

// A SPDY client over whatever moves its bytes.
class TestSpdy {
 public:
  // Bare: POST with Upgrade: SPDY/3.1.
  TestSpdy(uint16_t port, const std::string& path, const std::string& protocol);
  // Tunnelled.
  explicit TestSpdy(std::unique_ptr<TestWebSocket> socket);

  uint32_t open(const SpdyHeaders& headers);
  void send(uint32_t stream, std::string_view bytes, SpdySession::End end = SpdySession::End::kNo);
  void reset(uint32_t stream);
  bool read_until_end(uint32_t stream);
  bool read_until(uint32_t stream, std::string_view text);
  std::map<uint32_t, std::string> data;
  std::map<uint32_t, bool> ended;
  const std::string& head() const { return head_; }

 private:
  void flush();
  bool read_some();
  std::unique_ptr<TestConnection> connection_;
  std::unique_ptr<TestWebSocket> socket_;
  SpdySession session_;
  std::string head_;
};

}  // namespace minik
