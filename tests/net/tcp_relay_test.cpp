#include "minik/net/tcp_relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "minik/net/listen.h"

namespace minik {
namespace {

// A connection from one of the addresses of this machine, to what answers with one byte.
class Client {
 public:
  Client(uint32_t from, uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(from);
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    EXPECT_EQ(connect(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    const timeval patience{10, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  bool is_served() const {
    char byte = 0;
    return read(fd_.get(), &byte, 1) == 1;
  }

 private:
  UniqueFd fd_;
};

TEST(TcpRelay, KeepsPlacesForOthersThanTheOneThatTakesMost) {
  constexpr uint32_t kGreedy = INADDR_LOOPBACK, kModest = INADDR_LOOPBACK + 1;
  IoThreads threads(2);
  auto server = listen_tcp("127.0.0.1", 0), front = listen_tcp("127.0.0.1", 0);
  ASSERT_TRUE(server && front);
  const RelayAddress to{INADDR_LOOPBACK, local_port(server->get())};
  const uint16_t port = local_port(front->get());
  TcpRelay relay(threads, {.connections_max = 8, .connections_of_one_max = 3});
  relay.serve(*std::move(front), {[to](int) { return to; }, []() -> Result<UniqueFd> {
                                    return UniqueFd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
                                  }});
  fcntl(server->get(), F_SETFL, 0);  // accept() waits
  std::vector<UniqueFd> served;
  const auto serve_one = [&] {
    served.emplace_back(accept4(server->get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_EQ(write(served.back().get(), "x", 1), 1);
  };
  std::vector<std::unique_ptr<Client>> greedy;
  for (int i = 0; i < 3; ++i) {
    greedy.push_back(std::make_unique<Client>(kGreedy, port));
    serve_one();
    EXPECT_TRUE(greedy.back()->is_served()) << i;
  }
  EXPECT_FALSE(Client(kGreedy, port).is_served());
  const Client modest(kModest, port);
  serve_one();
  EXPECT_TRUE(modest.is_served());

  // A place that is left is there for the next one, as soon as both sides are known to have ended.
  greedy.pop_back();
  char byte = 0;
  EXPECT_EQ(read(served[2].get(), &byte, 1), 0);
  served[2].reset();
  std::unique_ptr<Client> next;
  while (true) {
    next = std::make_unique<Client>(kGreedy, port);
    timeval patience{0, 200'000};
    setsockopt(server->get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    UniqueFd accepted(accept4(server->get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!accepted) continue;  // not yet: it was reset
    EXPECT_EQ(write(accepted.get(), "x", 1), 1);
    served.push_back(std::move(accepted));
    break;
  }
  EXPECT_TRUE(next->is_served());
}

}  // namespace
}  // namespace minik
