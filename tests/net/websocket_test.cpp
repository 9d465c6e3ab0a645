#include "minik/net/websocket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "control/base/text.h"
#include "tests/net/http_client.h"

namespace minik {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Peer = WebSocketCodec::Peer;

std::string frame(WebSocketOpcode opcode, std::string_view payload) {
  std::string out;
  WebSocketCodec::append_frame(out, opcode, payload, 0x12345678);
  return out;
}

struct Received {
  std::vector<std::string> messages;
  std::optional<uint16_t> error;
};

// Fed in pieces of every size, a codec must say the same.
Received receive(const std::string& bytes, size_t piece_size, size_t message_max = 1000) {
  WebSocketCodec codec(Peer::kClient, message_max);
  Received received;
  for (size_t at = 0; at < bytes.size() && !received.error; at += piece_size) {
    received.error = codec.receive(
        std::string_view(bytes).substr(at, piece_size),
        [&](const WebSocketCodec::Message& message) {
          received.messages.push_back(cat(static_cast<int>(message.opcode), message.payload));
          return true;
        });
  }
  return received;
}

TEST(WebSocketCodec, ReadsMessagesHoweverTheyAreCut) {
  const std::string bytes = frame(WebSocketOpcode::kText, "hello") +
                            frame(WebSocketOpcode::kBinary, std::string(300, 'x')) +
                            frame(WebSocketOpcode::kBinary, "") +
                            frame(WebSocketOpcode::kPing, "p");
  for (const size_t piece : {1u, 2u, 3u, 7u, 100u, 10'000u}) {
    const Received received = receive(bytes, piece);
    EXPECT_FALSE(received.error);
    EXPECT_THAT(received.messages, ElementsAre("1hello", "2" + std::string(300, 'x'), "2", "9p"));
  }
}

TEST(WebSocketCodec, JoinsFragmentsAroundAPing) {
  std::string first = frame(WebSocketOpcode::kText, "ab");
  first[0] = static_cast<char>(first[0] & 0x7f);  // not final
  const std::string bytes =
      first + frame(WebSocketOpcode::kPing, "") + frame(WebSocketOpcode::kContinuation, "cd");
  EXPECT_THAT(receive(bytes, 4).messages, ElementsAre("9", "1abcd"));
}

TEST(WebSocketCodec, RefusesWhatTheProtocolForbids) {
  std::string unmasked;
  WebSocketCodec::append_frame(unmasked, WebSocketOpcode::kText, "x");
  EXPECT_EQ(receive(unmasked, 100).error, 1002);
  EXPECT_EQ(receive(frame(WebSocketOpcode::kContinuation, "x"), 100).error, 1002);
  EXPECT_EQ(receive(frame(static_cast<WebSocketOpcode>(5), "x"), 100).error, 1002);
  EXPECT_EQ(receive(frame(WebSocketOpcode::kPing, std::string(126, 'x')), 100).error, 1002);
  std::string reserved = frame(WebSocketOpcode::kText, "x");
  reserved[0] = static_cast<char>(reserved[0] | 0x40);
  EXPECT_EQ(receive(reserved, 100).error, 1002);
  EXPECT_EQ(receive(frame(WebSocketOpcode::kText, std::string(1001, 'x')), 100).error, 1009);
}

TEST(WebSocketCodec, CountsFragmentsTogetherAgainstItsLimit) {
  std::string first = frame(WebSocketOpcode::kText, std::string(600, 'x'));
  first[0] = static_cast<char>(first[0] & 0x7f);
  EXPECT_EQ(receive(first + frame(WebSocketOpcode::kContinuation, std::string(600, 'y')), 99).error,
            1009);
}

HttpRequest handshake(std::string protocols) {
  HttpRequest request;
  request.method = "GET";
  request.headers = {{"connection", "keep-alive, Upgrade"},
                     {"upgrade", "WebSocket"},
                     {"sec-websocket-version", "13"},
                     {"sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="},
                     {"sec-websocket-protocol", std::move(protocols)}};
  return request;
}

TEST(WebSocketHandshake, GivesTheProofOfTheSpecificationAndTheClientsFirstChoice) {
  const auto accept = accept_websocket(handshake("v9, v4.channel.k8s.io, v5.channel.k8s.io"),
                                       {"v5.channel.k8s.io", "v4.channel.k8s.io"});
  ASSERT_TRUE(accept);
  EXPECT_EQ(accept->protocol, "v4.channel.k8s.io");
  bool proved = false;
  for (const auto& header : accept->head.headers) {
    if (header.name != "sec-websocket-accept") continue;
    proved = header.value == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";  // RFC 6455 section 1.3
  }
  EXPECT_TRUE(proved);
}

TEST(WebSocketHandshake, RefusesForeignSubprotocolsVersionsAndKeys) {
  EXPECT_FALSE(accept_websocket(handshake("chat"), {"v5.channel.k8s.io"}));
  HttpRequest old = handshake("");
  old.headers[2].value = "8";
  EXPECT_FALSE(accept_websocket(old, {}));
  HttpRequest keyless = handshake("");
  keyless.headers[3].value = "short";
  EXPECT_FALSE(accept_websocket(keyless, {}));
}

TEST(WebSocketConnection, AnswersPingsEchoesAndSaysGoodbye) {
  TestServer server([](const HttpRequest& request, const Responder& responder) {
    const auto accept = accept_websocket(request, {"echo"});
    ASSERT_TRUE(accept);
    responder.upgrade(accept->head, [](const std::shared_ptr<ByteStream>& stream) {
      auto connection = std::make_shared<WebSocketConnection>(stream);
      connection->start({.on_message = [connection](WebSocketOpcode opcode, std::string_view m) {
        connection->send(opcode, m);
      }});
    });
  });
  TestConnection client(server.tls_port(), TestConnection::Kind::kTls);
  client.send(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Sec-WebSocket-Protocol: echo\r\n\r\n");
  ASSERT_TRUE(client.read_until("\r\n\r\n"));
  EXPECT_THAT(client.buffer(), HasSubstr("sec-websocket-protocol: echo"));
  client.take(client.buffer().find("\r\n\r\n") + 4);
  client.send(frame(WebSocketOpcode::kPing, "?") + frame(WebSocketOpcode::kText, "hello") +
              frame(WebSocketOpcode::kClose, "\x03\xe8"));
  EXPECT_EQ(client.read_to_end(), std::string("\x8a\x01?\x81\x05hello\x88\x02\x03\xe8"));
}

}  // namespace
}  // namespace minik
