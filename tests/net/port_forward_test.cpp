#include "minik/net/port_forward.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "control/base/text.h"
#include "minik/net/listen.h"
#include "tests/net/upgrade_client.h"

namespace minik {
namespace {

using ::testing::HasSubstr;
using End = SpdySession::End;

// A pod: port 80 sends back what it gets, with "> " in front, until the client's end; others
// refuse.
class Pod {
 public:
  ~Pod() {
    for (std::thread& thread : threads_) thread.join();
  }
  ConnectPort connect() {
    return [this](uint16_t port, const std::function<void(Result<UniqueFd>)>& connected) {
      if (port != 80) return connected(Error(ErrorCode::kInternalError, "connection refused"));
      int pair[2];
      ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
      threads_.emplace_back([fd = pair[1]] { echo(fd); });
      connected(UniqueFd(pair[0]));
    };
  }

 private:
  static void echo(int fd) {
    char buffer[4096];
    ssize_t got;
    ::send(fd, "> ", 2, MSG_NOSIGNAL);
    while ((got = read(fd, buffer, sizeof buffer)) > 0) {
      if (::send(fd, buffer, static_cast<size_t>(got), MSG_NOSIGNAL) < 0) break;
    }
    close(fd);
  }
  std::vector<std::thread> threads_;
};

struct ForwardServer {
  Pod pod;
  TestServer server{[this](const HttpRequest& request, const Responder& responder) {
    serve_port_forward(request, responder, pod.connect());
  }};

  TestSpdy client(bool tunnelled) {
    if (!tunnelled) return TestSpdy(server.tls_port(), "/portforward", "portforward.k8s.io");
    return TestSpdy(std::make_unique<TestWebSocket>(server.tls_port(), "/portforward",
                                                    "SPDY/3.1+portforward.k8s.io"));
  }
};

std::pair<uint32_t, uint32_t> open_pair(TestSpdy& client, const char* port, const char* request) {
  const uint32_t error =
      client.open({{"streamType", "error"}, {"port", port}, {"requestID", request}});
  client.send(error, {}, End::kYes);
  const uint32_t data =
      client.open({{"streamType", "data"}, {"port", port}, {"requestID", request}});
  return {error, data};
}

class PortForward : public ::testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(BareAndTunnelled, PortForward, ::testing::Bool());

TEST_P(PortForward, CarriesSeveralConnectionsAtOnce) {
  ForwardServer forward;
  TestSpdy client = forward.client(GetParam());
  const auto [error1, data1] = open_pair(client, "80", "0");
  const auto [error2, data2] = open_pair(client, "80", "1");
  client.send(data1, "one");
  client.send(data2, "two", End::kYes);
  EXPECT_TRUE(client.read_until_end(data2));
  EXPECT_TRUE(client.read_until_end(error2));
  EXPECT_EQ(client.data[data2], "> two");
  EXPECT_EQ(client.data[error2], "");
  EXPECT_TRUE(client.read_until(data1, "> one"));
  client.send(data1, " more", End::kYes);
  EXPECT_TRUE(client.read_until_end(data1));
  EXPECT_EQ(client.data[data1], "> one more");
}

TEST_P(PortForward, CarriesMoreThanAnyBufferHolds) {
  ForwardServer forward;
  TestSpdy client = forward.client(GetParam());
  const auto [error, data] = open_pair(client, "80", "0");
  std::string sent;
  for (int i = 0; i < 30; ++i) {
    const std::string piece(50'000, static_cast<char>('a' + i % 26));
    client.send(data, piece);
    sent += piece;
    ASSERT_TRUE(client.read_until(data, piece.substr(0, 1)));
  }
  client.send(data, {}, End::kYes);
  EXPECT_TRUE(client.read_until_end(data));
  EXPECT_EQ(client.data[data], "> " + sent);
}

TEST_P(PortForward, TellsWhyAPortCannotBeReachedAndGoesOn) {
  ForwardServer forward;
  TestSpdy client = forward.client(GetParam());
  const auto [error, data] = open_pair(client, "81", "0");
  EXPECT_TRUE(client.read_until_end(error));
  EXPECT_THAT(client.data[error], HasSubstr("error forwarding port 81"));
  EXPECT_THAT(client.data[error], HasSubstr("connection refused"));
  const auto [error2, data2] = open_pair(client, "80", "1");
  EXPECT_TRUE(client.read_until(data2, "> "));
}

TEST_P(PortForward, EndsThePairWhenTheClientResetsIt) {
  ForwardServer forward;
  TestSpdy client = forward.client(GetParam());
  const auto [error, data] = open_pair(client, "80", "0");
  ASSERT_TRUE(client.read_until(data, "> "));
  client.reset(data);
  EXPECT_TRUE(client.read_until_end(error));
}

TEST_P(PortForward, ResetsStreamsWithoutAPortOrAPurpose) {
  ForwardServer forward;
  TestSpdy client = forward.client(GetParam());
  EXPECT_TRUE(client.read_until_end(client.open({{"streamType", "data"}, {"port", "0"}})));
  EXPECT_TRUE(client.read_until_end(client.open({{"streamType", "other"}, {"port", "80"}})));
}

TEST(PortForwardOverChannels, NamesItsPortsAndCarriesThem) {
  ForwardServer forward;
  TestWebSocket client(forward.server.tls_port(), "/portforward?ports=80&ports=81",
                       "v4.channel.k8s.io");
  client.send(WebSocketOpcode::kBinary, std::string("\0hi", 3));
  std::map<char, std::string> channels;
  ASSERT_TRUE(client.read_until([&] {
    for (const std::string& message : client.messages) channels[message[0]] += message.substr(1);
    client.messages.clear();
    return channels['\0'].size() >= 6 && channels['\3'].size() > 2;
  }));
  EXPECT_EQ(channels['\0'], std::string("\x50\0> hi", 6));
  EXPECT_EQ(channels['\1'], std::string("\x50\0", 2));
  EXPECT_THAT(channels['\3'], HasSubstr("connection refused"));
}

TEST(PortForwardOverChannels, RefusesARequestWithoutPorts) {
  ForwardServer forward;
  TestWebSocket client(forward.server.tls_port(), "/portforward?ports=70000", "v4.channel.k8s.io");
  EXPECT_THAT(client.head(), HasSubstr("400"));
}

}  // namespace
}  // namespace minik
