#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "control/base/text.h"
#include "control/object/yaml.h"
#include "minik/net/dns_message.h"
#include "minik/net/dns_server.h"
#include "minik/net/listen.h"

namespace minik {
namespace {

using control::DnsChange;
using control::DnsZone;

control::Value yaml(std::string_view text) {
  return control::parse_yaml(text)->at(0).value;
}

DnsChange web_and_friends(size_t endpoints = 2) {
  std::string slice =
      "addressType: IPv4\nports: [{name: sql, port: 5432, protocol: TCP}]\nendpoints:\n";
  for (size_t i = 1; i <= endpoints; ++i)
    slice += cat("- {addresses: [10.244.", i / 250, ".", i % 250 + 1, "]}\n");
  DnsChange change;
  change.namespaces = {"default"};
  change.services = {
      control::dns_service(
          yaml("metadata: {name: web, namespace: default}\n"
               "spec: {clusterIP: 10.96.0.9, ports: [{name: http, port: 80, protocol: TCP}]}"),
          {}),
      control::dns_service(
          yaml("metadata: {name: db, namespace: default}\n"
               "spec: {clusterIP: None, ports: [{name: sql, port: 5432, protocol: TCP}]}"),
          {yaml(slice)}),
      control::dns_service(yaml("metadata: {name: outside, namespace: default}\n"
                                "spec: {type: ExternalName, externalName: www.example.org}"),
                           {})};
  return change;
}

// A server on loopback; its upstream is another one of ours that knows example.org, or nobody.
class DnsServerTest : public ::testing::Test {
 protected:
  DnsServerTest() : threads(1) {}
  void SetUp() override {
    if (std::system("command -v dig >/dev/null") != 0)
      GTEST_SKIP() << "SKIPPED: no dig on this machine";
  }

  std::unique_ptr<DnsServer> serve(DnsServerOptions options, uint16_t& chosen) {
    auto tcp = listen_tcp("127.0.0.1", 0);
    EXPECT_TRUE(tcp) << tcp.error().message;
    chosen = local_port(tcp->get());
    UniqueFd udp(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(chosen);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(udp.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return std::make_unique<DnsServer>(threads, std::move(options), std::move(udp),
                                       std::move(*tcp));
  }

  void begin(bool with_upstream) {
    DnsServerOptions options;
    options.upstream_timeout = milliseconds(200);
    if (with_upstream) {
      DnsServerOptions world;
      world.zone.domain = "example.org";
      upstream = serve(world, upstream_port);
      options.upstream = [] { return std::vector<uint32_t>{INADDR_LOOPBACK}; };
      options.upstream_port = upstream_port;
    }
    server = serve(options, port);
    server->apply(web_and_friends());
  }

  std::string dig(const std::string& arguments) {
    const auto command = cat("dig +time=3 +tries=1 @127.0.0.1 -p ", port, " ", arguments);
    FILE* pipe = popen(command.c_str(), "r");
    std::string output;
    char buffer[4096];
    size_t n = 0;
    while ((n = fread(buffer, 1, sizeof buffer, pipe)) > 0) output.append(buffer, n);
    pclose(pipe);
    return output;
  }

  IoThreads threads;
  std::unique_ptr<DnsServer> upstream, server;
  uint16_t port = 0, upstream_port = 0;
};

TEST_F(DnsServerTest, AnswersDigOverUdpAndTcp) {
  begin(false);
  EXPECT_EQ(dig("+short web.default.svc.cluster.local"), "10.96.0.9\n");
  EXPECT_EQ(dig("+short +tcp web.default.svc.cluster.local"), "10.96.0.9\n");
  EXPECT_EQ(dig("+short db.default.svc.cluster.local"), "10.244.0.2\n10.244.0.3\n");
  EXPECT_EQ(dig("+short SRV _http._tcp.web.default.svc.cluster.local"),
            "0 100 80 web.default.svc.cluster.local.\n");
  EXPECT_EQ(dig("+short -x 10.96.0.9"), "web.default.svc.cluster.local.\n");
  EXPECT_EQ(dig("+short TXT dns-version.cluster.local"), "\"1.1.0\"\n");
}

TEST_F(DnsServerTest, SaysWhatDoesNotExistSoThatClientsMayRememberIt) {
  begin(false);
  const auto missing = dig("nobody.default.svc.cluster.local");
  EXPECT_NE(missing.find("status: NXDOMAIN"), std::string::npos) << missing;
  EXPECT_NE(missing.find("SOA\tns.dns.cluster.local. hostmaster.cluster.local."), std::string::npos)
      << missing;
  const auto empty = dig("AAAA web.default.svc.cluster.local");
  EXPECT_NE(empty.find("status: NOERROR"), std::string::npos) << empty;
  EXPECT_NE(empty.find("ANSWER: 0"), std::string::npos) << empty;
}

TEST_F(DnsServerTest, CutsLongAnswersSoThatClientsComeAgainOverTcp) {
  begin(false);
  server->apply(web_and_friends(200));
  EXPECT_NE(dig("+ignore db.default.svc.cluster.local").find(" tc "), std::string::npos);
  const auto whole = dig("+short db.default.svc.cluster.local");
  EXPECT_EQ(std::count(whole.begin(), whole.end(), '\n'), 200) << "dig retries over TCP by itself";
}

// Who asks and does not read is read no more, and goes on where he stopped.
TEST_F(DnsServerTest, TakesNoMoreQueriesThanTheClientTakesAnswers) {
  begin(false);
  server->apply(web_and_friends(50));
  const std::string name("\2db\7default\3svc\7cluster\5local\0", 30);
  const std::string head("\0\1\1\0\0\1\0\0\0\0\0\0", 12), tail("\0\1\0\1", 4);
  const std::string query = std::string("\0\0", 1) + static_cast<char>(head.size() + name.size() + tail.size()) + head + name + tail;
  const UniqueFd client(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int small = 64 << 10;
  setsockopt(client.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  setsockopt(client.get(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connect(client.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  pollfd ready{client.get(), POLLOUT, 0};
  constexpr size_t kMany = 16 << 20;  // more than all sockets hold
  size_t sent = 0;
  while (sent < kMany && poll(&ready, 1, 300) == 1) {
    const size_t at = sent % query.size();
    const ssize_t n = send(client.get(), query.data() + at, query.size() - at, MSG_NOSIGNAL);
    if (n > 0) sent += static_cast<size_t>(n);
  }
  EXPECT_LT(sent, kMany);

  const size_t asked = sent / query.size();
  std::string arrived;
  size_t answers = 0;
  char bytes[65536];
  ready.events = POLLIN;
  while (answers < asked && poll(&ready, 1, 10'000) == 1) {
    const ssize_t n = recv(client.get(), bytes, sizeof bytes, 0);
    if (n <= 0) break;
    arrived.append(bytes, static_cast<size_t>(n));
    size_t at = 0;
    const auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(arrived[i])); };
    while (arrived.size() - at >= 2 && arrived.size() - at >= 2 + (byte(at) << 8 | byte(at + 1))) {
      at += 2 + (byte(at) << 8 | byte(at + 1));
      ++answers;
    }
    arrived.erase(0, at);
  }
  EXPECT_EQ(answers, asked);
}

TEST_F(DnsServerTest, AsksOtherServersForOtherNamesAndForTargetsOfAliases) {
  begin(true);
  EXPECT_EQ(dig("+short TXT dns-version.example.org"), "\"1.1.0\"\n");
  EXPECT_EQ(dig("+short +tcp TXT dns-version.example.org"), "\"1.1.0\"\n");
  const auto alias = dig("outside.default.svc.cluster.local");
  EXPECT_NE(alias.find("CNAME\twww.example.org."), std::string::npos) << alias;
  EXPECT_NE(alias.find("status: NXDOMAIN"), std::string::npos)
      << "www does not exist there: " << alias;
}

TEST_F(DnsServerTest, FailsPromptlyWhenNobodyElseAnswers) {
  begin(false);
  EXPECT_NE(dig("example.org").find("status: SERVFAIL"), std::string::npos);
  // Somebody who takes queries and never answers.
  UniqueFd silent(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(silent.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  socklen_t size = sizeof address;
  getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &size);
  DnsServerOptions options;
  options.upstream = [] { return std::vector<uint32_t>{INADDR_LOOPBACK}; };
  options.upstream_port = ntohs(address.sin_port);
  options.upstream_timeout = milliseconds(50);
  server = serve(options, port);
  EXPECT_NE(dig("example.org").find("status: SERVFAIL"), std::string::npos);
}

TEST(DnsMessage, AnswersBrokenQueriesWithAnErrorAndNothingElse) {
  const DnsZone zone({});
  const auto react = [&](std::string_view bytes) {
    return react_to_dns_query(bytes, zone, DnsTransport::kUdp);
  };
  EXPECT_EQ(react("short").step, DnsStep::kDrop);
  const std::string a_response("\x12\x34\x80\0\0\0\0\0\0\0\0\0", 12);
  EXPECT_EQ(react(a_response).step, DnsStep::kDrop)
      << "two servers that answer one another never end";
  const std::string promises_a_question("\x12\x34\x01\0\0\x01\0\0\0\0\0\0", 12);
  const auto reaction = react(promises_a_question);
  ASSERT_EQ(reaction.step, DnsStep::kReply);
  EXPECT_EQ(reaction.bytes.substr(0, 4), std::string("\x12\x34\x80\x01", 4))
      << "FORMERR with the id";
  const std::string a_status_query("\x12\x34\x10\0\0\0\0\0\0\0\0\0", 12);
  EXPECT_EQ(react(a_status_query).bytes[3] & 0x0f, 4) << "NOTIMP";
}

}  // namespace
}  // namespace minik
