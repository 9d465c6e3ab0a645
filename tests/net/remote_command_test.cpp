#include "minik/net/remote_command.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "control/base/text.h"
#include "control/object/json.h"
#include "tests/net/shell.h"
#include "tests/net/upgrade_client.h"

namespace minik {
namespace {

using ::testing::HasSubstr;
using End = SpdySession::End;

// A server whose every request is a session of the command.
struct ExecServer {
  explicit ExecServer(std::string command, bool tty = false)
      : start(shell.start(std::move(command), tty)),
        server([this](const HttpRequest& request, const Responder& responder) {
          const auto options = RemoteCommandOptions::from_query(request.query);
          ASSERT_TRUE(options);
          serve_remote_command(request, responder, *options, start);
        }) {}
  Shell shell;
  ExecStart start;
  TestServer server;
};

// All messages of a channel until the connection ends, joined.
std::map<char, std::string> read_channels(TestWebSocket& client) {
  client.read_until([] { return false; });
  std::map<char, std::string> channels;
  for (const std::string& message : client.messages) channels[message[0]] += message.substr(1);
  return channels;
}

constexpr const char* kAll = "/exec?stdin=true&stdout=true&stderr=true";

TEST(RemoteCommand, CarriesInputOutputErrorsAndTheExitCode) {
  ExecServer exec("read line; echo \"got $line\"; echo oops >&2; exit 3");
  TestWebSocket client(exec.server.tls_port(), kAll, "v5.channel.k8s.io, v4.channel.k8s.io");
  EXPECT_THAT(client.head(), HasSubstr("v5.channel.k8s.io"));
  client.send(WebSocketOpcode::kBinary, std::string("\0hello\n", 7));
  auto channels = read_channels(client);
  EXPECT_EQ(channels['\1'], "got hello\n");
  EXPECT_EQ(channels['\2'], "oops\n");
  const auto status = control::parse_json(channels['\3']);
  ASSERT_TRUE(status) << channels['\3'];
  EXPECT_EQ(status->get("status").string(), "Failure");
  EXPECT_EQ(status->get("reason").string(), "NonZeroExitCode");
  const control::Value& cause = status->get("details").get("causes").items()[0];
  EXPECT_EQ(cause.get("reason").string(), "ExitCode");
  EXPECT_EQ(cause.get("message").string(), "3");
}

TEST(RemoteCommand, EndsTheInputWhenTheClientClosesItsChannel) {
  ExecServer exec("wc -c");
  TestWebSocket client(exec.server.tls_port(), kAll, "v5.channel.k8s.io");
  const std::string piece = std::string(1, '\0') + std::string(30'000, 'x');
  for (int i = 0; i < 40; ++i) client.send(WebSocketOpcode::kBinary, piece);
  client.send(WebSocketOpcode::kBinary, std::string("\xff\0", 2));
  auto channels = read_channels(client);
  EXPECT_THAT(channels['\1'], HasSubstr("1200000"));
  EXPECT_THAT(channels['\3'], HasSubstr("\"Success\""));
}

TEST(RemoteCommand, DeliversAllOutputToASlowClient) {
  ExecServer exec("head -c 3000000 /dev/zero | tr '\\0' y");
  TestWebSocket client(exec.server.tls_port(), "/exec?stdout=true", "v4.channel.k8s.io");
  exec.shell.closed().wait_for(std::chrono::milliseconds(100));
  EXPECT_EQ(read_channels(client)['\1'], std::string(3'000'000, 'y'));
}

TEST(RemoteCommand, DoesNotWaitForAChildThatKeepsTheOutputOpen) {
  ExecServer exec("sleep 5 & echo started");
  TestWebSocket client(exec.server.tls_port(), "/exec?stdout=true", "v4.channel.k8s.io");
  const auto begun = std::chrono::steady_clock::now();
  EXPECT_EQ(read_channels(client)['\1'], "started\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(4));
}

TEST(RemoteCommand, SpeaksBase64ToBrowsers) {
  ExecServer exec("cat");
  TestWebSocket client(exec.server.tls_port(), kAll, "v4.base64.channel.k8s.io");
  client.send(WebSocketOpcode::kText, "0" + to_base64("hi"));
  ASSERT_TRUE(client.read_until(
      [&] { return !client.messages.empty() && client.messages.back() == "1" + to_base64("hi"); }));
}

TEST(RemoteCommand, ResizesATerminal) {
  ExecServer exec("read go; stty size", true);
  TestWebSocket client(exec.server.tls_port(), "/exec?stdin=1&stdout=1&tty=1", "v5.channel.k8s.io");
  client.send(WebSocketOpcode::kBinary, "\4{\"Width\":132,\"Height\":43}");
  client.send(WebSocketOpcode::kBinary, std::string("\0go\n", 4));
  EXPECT_THAT(read_channels(client)['\1'], HasSubstr("43 132"));
}

TEST(RemoteCommand, ReleasesTheProcessWhenTheClientLeaves) {
  ExecServer exec("cat");
  {
    TestWebSocket client(exec.server.tls_port(), kAll, "v5.channel.k8s.io");
    client.send(WebSocketOpcode::kBinary, std::string("\0x", 2));
    ASSERT_TRUE(client.read_until([&] { return client.messages.size() > 1; }));
  }
  EXPECT_EQ(exec.shell.closed().wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(RemoteCommand, TellsWhyAProcessCannotStart) {
  TestServer server([](const HttpRequest& request, const Responder& responder) {
    serve_remote_command(request, responder, {.stdout_open = true},
                         [](const std::function<void(Result<ExecIo>)>& started) {
                           started(Error(ErrorCode::kNotFound, "exec: \"nope\": not found"));
                         });
  });
  TestWebSocket client(server.tls_port(), "/", "v5.channel.k8s.io");
  auto channels = read_channels(client);
  EXPECT_THAT(channels['\3'], HasSubstr("not found"));
  EXPECT_THAT(channels['\3'], HasSubstr("InternalError"));
}

TEST(RemoteCommand, RefusesWhoDoesNotUpgradeOrSpeaksAnUnknownProtocol) {
  ExecServer exec("true");
  TestConnection plain(exec.server.plain_port(), TestConnection::Kind::kPlain);
  const auto response = plain.request("POST /exec?stdout=1 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(response.status, 400);
  EXPECT_THAT(response.body, HasSubstr("\"kind\":\"Status\""));
  TestWebSocket foreign(exec.server.tls_port(), "/exec?stdout=1", "v9.channel.k8s.io");
  EXPECT_THAT(foreign.head(), HasSubstr("400"));
  TestSpdy old(exec.server.tls_port(), "/exec?stdout=1", "v9.channel.k8s.io");
  EXPECT_THAT(old.head(), HasSubstr("403"));
}

TEST(RemoteCommand, ServesOlderClientsOverSpdy) {
  ExecServer exec("wc -c; echo oops >&2; exit 7");
  TestSpdy client(exec.server.tls_port(), kAll, "v4.channel.k8s.io");
  EXPECT_THAT(client.head(), HasSubstr("x-stream-protocol-version: v4.channel.k8s.io"));
  const uint32_t error = client.open({{"streamType", "error"}});
  const uint32_t in = client.open({{"streamType", "stdin"}});
  const uint32_t out = client.open({{"streamType", "stdout"}});
  const uint32_t err = client.open({{"streamType", "stderr"}});
  client.send(in, std::string(500'000, 'x'), End::kYes);
  EXPECT_TRUE(client.read_until_end(error));
  EXPECT_TRUE(client.read_until_end(out));
  EXPECT_THAT(client.data[out], HasSubstr("500000"));
  EXPECT_EQ(client.data[err], "oops\n");
  EXPECT_THAT(client.data[error], HasSubstr("\"message\":\"7\""));
}

TEST(RemoteCommand, RefusesAnExecWithoutStreams) {
  EXPECT_FALSE(RemoteCommandOptions::from_query("command=sh"));
  EXPECT_FALSE(RemoteCommandOptions::from_query("stdout=False"));
  EXPECT_TRUE(RemoteCommandOptions::from_query("stdout=True&stderr=0")->stdout_open) << "as Python writes it";
  EXPECT_FALSE(RemoteCommandOptions::from_query("stdout=true&tty=true&stderr=true")->stderr_open);
}

}  // namespace
}  // namespace minik
