// With a real kernel: a pod network of its own, servers and clients in its pods.
#include "runtime/network/service_filter.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <linux/netfilter_ipv4.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "runtime/network/network_namespace.h"
#include "runtime/network/pod_network.h"

namespace minik::runtime {
namespace {

constexpr int kPatienceMs = 2000;
constexpr uint16_t kEgressPort = 15001;

uint32_t ip(std::string_view text) {
  uint32_t address = 0;
  EXPECT_TRUE(parse_ipv4(text, address)) << text;
  return address;
}

sockaddr_in at(uint32_t address, int port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(static_cast<uint16_t>(port));
  result.sin_addr.s_addr = htonl(address);
  return result;
}

class Socket {
 public:
  explicit Socket(int fd = -1) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

class ServiceFilterTest : public ::testing::Test {
 protected:
  struct Pod {
    std::string id;
    PodEndpoint endpoint;
    Socket listener;
  };

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: network namespaces need root";
    char name[] = "/tmp/minik-filter-XXXXXX";
    folder = mkdtemp(name);
    PodNetworkConfig config;
    config.state_directory = folder;
    auto opened = PodNetwork::open(config);
    ASSERT_TRUE(opened) << opened.error().message;
    network = std::move(*opened);
    ServiceFilterConfig rules;
    rules.pods = {ip("10.244.0.0"), 16};
    rules.services = {ip("10.96.0.0"), 12};
    rules.dns_address = ip("10.96.0.10");
    rules.egress_port = kEgressPort;
    auto made = ServiceFilter::open(network->node_namespace(), rules);
    ASSERT_TRUE(made) << made.error().message;
    filter = std::move(*made);
  }

  void TearDown() override {
    for (const auto& [id, pod] : pods) EXPECT_TRUE(network->detach(id).ok());
    if (network) {
      EXPECT_TRUE(remove_network_namespace(network->node_namespace()).ok());
    }
    if (!folder.empty()) std::filesystem::remove_all(folder);
  }

  Pod& add_pod(const std::string& id) {
    auto endpoint = network->attach(id);
    EXPECT_TRUE(endpoint) << endpoint.error().message;
    Pod& pod = pods[id];
    pod = {id, *endpoint, Socket()};
    return pod;
  }

  Pod& add_server(const std::string& id, int port = 8080) {
    Pod& pod = add_pod(id);
    pod.listener = listen_in(pod.endpoint.namespace_path, 0, port);
    return pod;
  }

  static Socket listen_in(const std::string& where, uint32_t address, int port) {
    Socket result;
    const auto status = run_in_network_namespace(where, [&]() -> Status {
      result = Socket(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const auto here = at(address, port);
      if (bind(result.get(), reinterpret_cast<const sockaddr*>(&here), sizeof here) != 0 ||
          listen(result.get(), 64) != 0) {
        return error_from_errno(errno, "listen");
      }
      return {};
    });
    EXPECT_TRUE(status.ok()) << status.error().message;
    return result;
  }

  // The error of the attempt, or 0 and the connection.
  std::pair<int, Socket> connect_from(const std::string& where, uint32_t address, int port) {
    Socket result;
    (void)run_in_network_namespace(where, [&]() -> Status {
      result = Socket(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      return {};
    }).ok();
    const auto to = at(address, port);
    if (connect(result.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0 &&
        errno != EINPROGRESS) {
      return {errno, Socket()};
    }
    pollfd waiting{result.get(), POLLOUT, 0};
    if (poll(&waiting, 1, kPatienceMs) == 0) return {ETIMEDOUT, Socket()};
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(result.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    return {error, error == 0 ? std::move(result) : Socket()};
  }

  // The server that a new connection reached, its end of it, and the client's address as it sees
  // it.
  struct Reached {
    std::string pod;
    Socket end;
    std::string peer;
  };
  std::optional<Reached> accepted() {
    for (auto& [id, pod] : pods) {
      if (pod.listener.get() < 0) continue;
      pollfd waiting{pod.listener.get(), POLLIN, 0};
      if (poll(&waiting, 1, 0) != 1) continue;
      sockaddr_in peer{};
      socklen_t size = sizeof peer;
      Socket end(
          accept4(pod.listener.get(), reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC));
      return Reached{id, std::move(end), format_ipv4(ntohl(peer.sin_addr.s_addr))};
    }
    return {};
  }

  std::map<std::string, int> tally(const std::string& where, uint32_t address, int port,
                                   int connections) {
    std::map<std::string, int> result;
    for (int i = 0; i < connections; ++i) {
      const auto [error, socket] = connect_from(where, address, port);
      EXPECT_EQ(error, 0) << strerror(error);
      const auto reached = accepted();
      ++result[reached ? reached->pod : "nobody"];
    }
    return result;
  }

  static FilterRule rule_of(const std::string& name, std::string_view address,
                            const std::vector<const Pod*>& backends) {
    FilterRule rule;
    rule.name = name;
    rule.port = 80;
    rule.addresses = {ip(address)};
    for (const auto* pod : backends) rule.backends.push_back({ip(pod->endpoint.address), 8080});
    return rule;
  }

  std::string folder;
  std::unique_ptr<PodNetwork> network;
  std::unique_ptr<ServiceFilter> filter;
  std::map<std::string, Pod> pods;
};

TEST_F(ServiceFilterTest, DialsNobodyAnyLongerWhenItsOwnerGoes) {
  Pod& pod = add_pod("silent");
  pod.listener = listen_in(pod.endpoint.namespace_path, 0, 8080);
  ASSERT_EQ(listen(pod.listener.get(), 0), 0);  // one waits to be taken in, others hear nothing
  std::vector<Socket> waiting;
  constexpr int kBriefMs = 50;
  const auto dial = [&](int timeout_ms, int stop) {
    auto dialled = network->connect_tcp(pod.endpoint.address, 8080, timeout_ms, stop);
    if (dialled) waiting.emplace_back(*dialled);
    return dialled ? std::string("connected") : dialled.error().message;
  };
  while (waiting.size() < 8 && dial(kBriefMs, -1) == "connected") continue;
  ASSERT_LT(waiting.size(), 8u);
  const Socket stop(eventfd(1, EFD_CLOEXEC));
  constexpr int kTenMinutesMs = 600'000;
  EXPECT_TRUE(dial(kTenMinutesMs, stop.get()).ends_with("i/o timeout"));
}

TEST_F(ServiceFilterTest, SpreadsConnectionsOverTheBackendsAndKeepsTheClientsAddress) {
  const Pod& a = add_server("a");
  const Pod& b = add_server("b");
  const Pod& client = add_pod("client");
  ASSERT_TRUE(filter->update({rule_of("default/web/tcp/", "10.96.1.1", {&a, &b})}, {}).ok());
  const auto counts = tally(client.endpoint.namespace_path, ip("10.96.1.1"), 80, 60);
  EXPECT_GT(counts.at("a"), 10);
  EXPECT_GT(counts.at("b"), 10);
  const auto [error, socket] = connect_from(client.endpoint.namespace_path, ip("10.96.1.1"), 80);
  ASSERT_EQ(error, 0);
  EXPECT_EQ(accepted()->peer, client.endpoint.address);
}

TEST_F(ServiceFilterTest, RefusesAtOnceWhereNobodyServes) {
  const Pod& client = add_pod("client");
  ASSERT_TRUE(filter->update({rule_of("default/web/tcp/", "10.96.1.1", {})}, {}).ok());
  const auto& from = client.endpoint.namespace_path;
  EXPECT_EQ(connect_from(from, ip("10.96.1.1"), 80).first, ECONNREFUSED) << "no backends";
  EXPECT_EQ(connect_from(from, ip("10.96.1.1"), 81).first, ECONNREFUSED) << "no such port";
  EXPECT_EQ(connect_from(from, ip("10.111.9.9"), 80).first, ECONNREFUSED) << "no such Service";
  EXPECT_EQ(connect_from(network->node_namespace(), ip("10.96.1.1"), 80).first, ECONNREFUSED)
      << "from the node";
}

TEST_F(ServiceFilterTest, LeadsAPodToItself) {
  const Pod& a = add_server("a");
  ASSERT_TRUE(filter->update({rule_of("default/web/tcp/", "10.96.1.1", {&a})}, {}).ok());
  EXPECT_EQ(tally(a.endpoint.namespace_path, ip("10.96.1.1"), 80, 3).at("a"), 3);
}

TEST_F(ServiceFilterTest, AnswersOnNodePortsFromTheNodeAndFromPods) {
  const Pod& a = add_server("a");
  const Pod& client = add_pod("client");
  auto rule = rule_of("default/web/tcp/", "10.96.1.1", {&a});
  rule.node_port = 30080;
  ASSERT_TRUE(filter->update({rule}, {}).ok());
  EXPECT_EQ(tally(network->node_namespace(), ip("10.244.0.1"), 30080, 2).at("a"), 2);
  EXPECT_EQ(tally(client.endpoint.namespace_path, ip("10.244.0.1"), 30080, 2).at("a"), 2);
}

TEST_F(ServiceFilterTest, KeepsAClientWithOneBackendWhenAskedTo) {
  const Pod& a = add_server("a");
  const Pod& b = add_server("b");
  auto rule = rule_of("default/web/tcp/", "10.96.1.1", {&a, &b});
  rule.client_affinity = true;
  ASSERT_TRUE(filter->update({rule}, {}).ok());
  std::set<std::string> chosen;
  for (int i = 0; i < 8; ++i) {
    const auto counts =
        tally(add_pod(cat("client", i)).endpoint.namespace_path, ip("10.96.1.1"), 80, 5);
    EXPECT_EQ(counts.size(), 1U);
    chosen.insert(counts.begin()->first);
  }
  EXPECT_EQ(chosen.size(), 2U) << "eight clients, and all at one backend";
}

TEST_F(ServiceFilterTest, ChangesOnlyNewConnections) {
  const Pod& a = add_server("a");
  const Pod& b = add_server("b");
  const Pod& client = add_pod("client");
  const auto& from = client.endpoint.namespace_path;
  ASSERT_TRUE(filter->update({rule_of("default/web/tcp/", "10.96.1.1", {&a})}, {}).ok());
  auto [error, before] = connect_from(from, ip("10.96.1.1"), 80);
  ASSERT_EQ(error, 0);
  auto first = accepted();
  ASSERT_TRUE(filter->update({rule_of("default/web/tcp/", "10.96.1.1", {&b})}, {}).ok());
  EXPECT_EQ(tally(from, ip("10.96.1.1"), 80, 5).at("b"), 5);
  ASSERT_EQ(send(before.get(), "x", 1, MSG_NOSIGNAL), 1);
  char byte = 0;
  EXPECT_EQ(recv(first->end.get(), &byte, 1, 0), 1)
      << "the connection of before has lost its backend";
  ASSERT_TRUE(filter->update({}, {"default/web/tcp/"}).ok());
  EXPECT_EQ(connect_from(from, ip("10.96.1.1"), 80).first, ECONNREFUSED);
}

TEST_F(ServiceFilterTest, GivesAnAddressThatTwoRulesClaimToTheFirstAndThenToTheOther) {
  const Pod& a = add_server("a");
  const Pod& b = add_server("b");
  const Pod& client = add_pod("client");
  const auto& from = client.endpoint.namespace_path;
  ASSERT_TRUE(filter->update({rule_of("ns/two/tcp/", "10.96.1.1", {&b})}, {}).ok());
  ASSERT_TRUE(filter->update({rule_of("ns/one/tcp/", "10.96.1.1", {&a})}, {}).ok());
  EXPECT_EQ(tally(from, ip("10.96.1.1"), 80, 4).at("a"), 4);
  ASSERT_TRUE(filter->update({}, {"ns/one/tcp/"}).ok());
  EXPECT_EQ(tally(from, ip("10.96.1.1"), 80, 4).at("b"), 4);
}

TEST_F(ServiceFilterTest, TellsAtOnceThatAPodHasGone) {
  const Pod& a = add_server("a");
  const Pod& client = add_pod("client");
  const auto& from = client.endpoint.namespace_path;
  const uint32_t address = ip(a.endpoint.address);
  ASSERT_TRUE(filter->update({rule_of("default/web/tcp/", "10.96.1.1", {&a})}, {}).ok());
  ASSERT_EQ(connect_from(from, ip("10.96.1.1"), 80).first, 0);
  pods.erase("a");
  ASSERT_TRUE(network->detach("a").ok());
  EXPECT_EQ(connect_from(from, address, 8080).first, ECONNREFUSED);
  EXPECT_EQ(connect_from(from, ip("10.96.1.1"), 80).first, ECONNREFUSED)
      << "the rule still leads there";
}

TEST_F(ServiceFilterTest, KeepsAPodConnectedWhileOthersComeAndGo) {
  const Pod& server = add_server("server");
  const Pod& client = add_pod("client");
  const uint32_t address = ip(server.endpoint.address);
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) add_pod(name);
  const auto reach = [&] {
    return connect_from(client.endpoint.namespace_path, address, 8080).first;
  };
  EXPECT_EQ(reach(), 0);
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    pods.erase(name);
    ASSERT_TRUE(network->detach(name).ok());
    EXPECT_EQ(reach(), 0) << "without " << name;
  }
}

TEST_F(ServiceFilterTest, HoldsThousandsOfRulesAndABigOne) {
  const Pod& a = add_server("a");
  const Pod& client = add_pod("client");
  std::vector<FilterRule> rules;
  for (uint32_t i = 0; i < 3000; ++i) {
    auto rule =
        rule_of(cat("default/service-with-a-rather-long-name-", i, "/tcp/http"), "10.97.0.0", {&a});
    rule.addresses[0] += i;
    rules.push_back(std::move(rule));
  }
  for (uint32_t i = 0; i < 2000; ++i) rules[7].backends.push_back({ip("10.244.128.0") + i, 8080});
  rules[7].backends.erase(rules[7].backends.begin());
  const auto replaced = filter->replace(rules);
  ASSERT_TRUE(replaced.ok()) << replaced.error().message;
  EXPECT_EQ(tally(client.endpoint.namespace_path, ip("10.97.0.0") + 2999, 80, 3).at("a"), 3);
  std::vector<std::string> removed;
  for (const auto& rule : rules) removed.push_back(rule.name);
  const auto gone = filter->update({}, removed);
  ASSERT_TRUE(gone.ok()) << gone.error().message;
  EXPECT_EQ(connect_from(client.endpoint.namespace_path, ip("10.97.0.0") + 2999, 80).first,
            ECONNREFUSED);
}

TEST_F(ServiceFilterTest, HandsConnectionsToOtherNetworksToTheRelaysPort) {
  const Pod& client = add_pod("client");
  const Socket relay = listen_in(network->node_namespace(), 0, kEgressPort);
  for (const auto& from : {client.endpoint.namespace_path, network->node_namespace()}) {
    const auto [error, socket] = connect_from(from, ip("203.0.113.7"), 443);
    ASSERT_EQ(error, 0) << strerror(error);
    const Socket end(accept4(relay.get(), nullptr, nullptr, SOCK_CLOEXEC));
    sockaddr_in original{};
    socklen_t size = sizeof original;
    ASSERT_EQ(getsockopt(end.get(), SOL_IP, SO_ORIGINAL_DST, &original, &size), 0);
    EXPECT_EQ(format_ipv4(ntohl(original.sin_addr.s_addr)), "203.0.113.7");
    EXPECT_EQ(ntohs(original.sin_port), 443);
  }
}

}  // namespace
}  // namespace minik::runtime
