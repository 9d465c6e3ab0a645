#include "tests/net/upgrade_client.h"

#include "control/base/text.h"

namespace minik {
namespace {

using Kind = TestConnection::Kind;

SpdySession::Callbacks recorder(TestSpdy* client) {
  return {.on_data =
              [client](uint32_t id, std::string_view bytes, SpdySession::End end) {
                client->data[id] += bytes;
                if (end == SpdySession::End::kYes) client->ended[id] = true;
              },
          .on_reset = [client](uint32_t id) { client->ended[id] = true; }};
}

}  // namespace

TestWebSocket::TestWebSocket(uint16_t port, const std::string& path, const std::string& protocols)
    : connection_(port, Kind::kTls) {
  connection_.send(cat("GET ", path,
                       " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                       "Sec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "Sec-WebSocket-Protocol: ",
                       protocols, "\r\n\r\n"));
  if (connection_.read_until("\r\n\r\n")) {
    head_ = connection_.take(connection_.buffer().find("\r\n\r\n") + 4);
  }
}

void TestWebSocket::send(WebSocketOpcode opcode, std::string_view payload) {
  std::string out;
  WebSocketCodec::append_frame(out, opcode, payload, 0x01020304);
  connection_.send(out);
}

bool TestWebSocket::read_some() {
  if (connection_.buffer().empty() && !connection_.read_bytes(1)) return false;
  bool open = true;
  const std::string bytes = connection_.take(connection_.buffer().size());
  const auto error = codec_.receive(bytes, [&](const WebSocketCodec::Message& message) {
    if (message.opcode == WebSocketOpcode::kClose) open = false;
    if (message.opcode == WebSocketOpcode::kText || message.opcode == WebSocketOpcode::kBinary) {
      messages.emplace_back(message.payload);
    }
    return true;
  });
  return open && !error;
}

TestSpdy::TestSpdy(uint16_t port, const std::string& path, const std::string& protocol)
    : connection_(std::make_unique<TestConnection>(port, Kind::kTls)),
      session_(SpdySession::Role::kClient, recorder(this)) {
  connection_->send(cat("POST ", path,
                        " HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
                        "X-Stream-Protocol-Version: ",
                        protocol, "\r\nContent-Length: 0\r\n\r\n"));
  if (connection_->read_until("\r\n\r\n")) {
    head_ = connection_->take(connection_->buffer().find("\r\n\r\n") + 4);
  }
}

TestSpdy::TestSpdy(std::unique_ptr<TestWebSocket> socket)
    : socket_(std::move(socket)), session_(SpdySession::Role::kClient, recorder(this)) {}

void TestSpdy::flush() {
  if (!session_.has_output()) return;
  const std::string bytes = session_.take_output();
  if (connection_) {
    connection_->send(bytes);
  } else {
    socket_->send(WebSocketOpcode::kBinary, bytes);
  }
}

bool TestSpdy::read_some() {
  std::string bytes;
  if (connection_) {
    if (connection_->buffer().empty() && !connection_->read_bytes(1)) return false;
    bytes = connection_->take(connection_->buffer().size());
  } else {
    const bool more = socket_->read_some();
    for (const std::string& message : socket_->messages) bytes += message;
    socket_->messages.clear();
    if (!more && bytes.empty()) return false;
  }
  const bool alive = session_.receive(bytes);
  flush();
  return alive;
}

uint32_t TestSpdy::open(const SpdyHeaders& headers) {
  const uint32_t id = session_.open(headers);
  flush();
  return id;
}

void TestSpdy::send(uint32_t stream, std::string_view bytes, SpdySession::End end) {
  session_.send(stream, bytes, end);
  flush();
}

void TestSpdy::reset(uint32_t stream) {
  session_.reset(stream, SpdyResetStatus::kCancel);
  flush();
}

bool TestSpdy::read_until_end(uint32_t stream) {
  while (!ended[stream]) {
    if (!read_some()) return false;
  }
  return true;
}

bool TestSpdy::read_until(uint32_t stream, std::string_view text) {
  while (data[stream].find(text) == std::string::npos) {
    if (!read_some()) return false;
  }
  return true;
}

}  // namespace minik
