#include "minik/net/dns_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <cerrno>
#include <fstream>
#include <map>
#include <set>

#include "control/base/check.h"
#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "minik/net/dns_message.h"
#include "minik/net/fd_channel.h"
#include "minik/net/limits.h"

namespace minik {

namespace {

constexpr size_t kDnsMessageBytesMax = 65535;

uint16_t random_id() {
  uint16_t id = 0;
  CHECK(getrandom(&id, sizeof id, 0) == sizeof id);
  return id;
}

void set_id(std::string& message, uint16_t id) {
  message[0] = static_cast<char>(id >> 8);
  message[1] = static_cast<char>(id & 0xff);
}

// Over TCP each message stands behind its length.
std::string framed(std::string_view message) {
  std::string bytes{static_cast<char>(message.size() >> 8),
                    static_cast<char>(message.size() & 0xff)};
  bytes += message;
  return bytes;
}

// Takes whole messages from the front of what has arrived.
bool take_message(std::string& arrived, std::string& message) {
  if (arrived.size() < 2) return false;
  const size_t size =
      static_cast<size_t>(static_cast<uint8_t>(arrived[0])) << 8 | static_cast<uint8_t>(arrived[1]);
  if (arrived.size() < 2 + size) return false;
  message = arrived.substr(2, size);
  arrived.erase(0, 2 + size);
  return true;
}

using Reply = std::function<void(std::string answer)>;

}  // namespace

// One query on its way through the upstream servers. Lives until it has called `done`, then is
// forgotten.
class DnsForward : public std::enable_shared_from_this<DnsForward> {
 public:
  using Done = std::function<void(const std::shared_ptr<DnsForward>&, std::string answer)>;

  DnsForward(EventLoop& loop, const DnsServerOptions& options, std::string query,
             DnsTransport transport, Done done)
      : loop_(loop),
        options_(options),
        transport_(transport),
        query_(std::move(query)),
        servers_(options.upstream ? options.upstream() : std::vector<uint32_t>{}),
        timer_(loop),
        done_(std::move(done)) {
    client_id_ = query_.substr(0, 2);
  }

  void ask_next() {
    watch_.reset();
    channel_close();
    socket_.reset();
    if (next_ >= servers_.size()) return finish({});
    const uint32_t server = servers_[next_++];
    set_id(query_, random_id());
    timer_.arm(options_.upstream_timeout, [this] { ask_next(); });
    const int type = transport_ == DnsTransport::kUdp ? SOCK_DGRAM : SOCK_STREAM;
    socket_ = UniqueFd(socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.upstream_port);
    address.sin_addr.s_addr = htonl(server);
    const int code =
        connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (code != 0 && errno != EINPROGRESS) return later();
    transport_ == DnsTransport::kUdp ? ask_udp() : ask_tcp();
  }

  // No call of `done` any more.
  void cancel() {
    timer_.cancel();
    watch_.reset();
    channel_close();
    done_ = nullptr;
  }

 private:
  // Never from inside the call that asked for it.
  void later() {
    timer_.arm({}, [this] { ask_next(); });
  }

  void ask_udp() {
    if (send(socket_.get(), query_.data(), query_.size(), MSG_NOSIGNAL) < 0) return later();
    watch_ = std::make_unique<FdWatch>(loop_, socket_.get());
    wait_udp();
  }

  void wait_udp() {
    watch_->wait_readable([this] {
      std::string answer(kDnsMessageBytesMax, '\0');
      const ssize_t n = recv(socket_.get(), answer.data(), answer.size(), 0);
      if (n < 0 && errno != EAGAIN && errno != EINTR)
        return later();  // refused: nobody listens there
      answer.resize(n < 0 ? 0 : static_cast<size_t>(n));
      if (answers_dns_query(answer, query_)) return finish(std::move(answer));
      wait_udp();  // somebody else's: ours may still come
    });
  }

  void ask_tcp() {
    watch_ = std::make_unique<FdWatch>(loop_, socket_.get());
    watch_->wait_writable([this] {
      watch_.reset();
      channel_ = FdChannel::open(loop_, std::move(socket_));
      FdChannel::Events events;
      events.on_bytes = [this](std::string_view bytes) {
        arrived_ += bytes;
        std::string answer;
        if (!take_message(arrived_, answer)) return;
        answers_dns_query(answer, query_) ? finish(std::move(answer)) : later();
      };
      events.on_end = [this] { later(); };
      events.on_broken = [this] { later(); };
      channel_->start(std::move(events));
      channel_->resume_reading();
      channel_->write(framed(query_));
    });
  }

  void channel_close() {
    if (channel_) channel_->close();
    channel_.reset();
    arrived_.clear();
  }

  void finish(std::string answer) {
    const auto self = shared_from_this();
    timer_.cancel();
    if (!answer.empty()) answer.replace(0, 2, client_id_);
    if (auto done = std::exchange(done_, nullptr)) done(self, std::move(answer));
  }

  EventLoop& loop_;
  const DnsServerOptions& options_;
  const DnsTransport transport_;
  std::string query_, client_id_;
  const std::vector<uint32_t> servers_;
  size_t next_ = 0;
  UniqueFd socket_;
  std::unique_ptr<FdWatch> watch_;
  std::shared_ptr<FdChannel> channel_;
  std::string arrived_;
  ScopedTimer timer_;
  Done done_;
};

struct DnsServer::State : std::enable_shared_from_this<DnsServer::State> {
  State(EventLoop& l, DnsServerOptions o, UniqueFd u, UniqueFd t)
      : loop(l), options(std::move(o)), zone(options.zone), udp(std::move(u)), tcp(std::move(t)) {}

  struct Client {
    std::shared_ptr<FdChannel> channel;
    std::string arrived;
    std::unique_ptr<ScopedTimer> patience;
  };

  void begin() {
    udp_watch = std::make_unique<FdWatch>(loop, udp.get());
    tcp_watch = std::make_unique<FdWatch>(loop, tcp.get());
    wait_udp();
    wait_tcp();
  }

  void end() {
    udp_watch.reset();
    tcp_watch.reset();
    for (const auto& forward : forwards) forward->cancel();
    forwards.clear();
    for (auto& [id, client] : clients) client.channel->close();
    clients.clear();
  }

  void wait_udp() {
    udp_watch->wait_readable([this] {
      read_udp();
      wait_udp();
    });
  }

  // A bounded number at a time, so that timers and TCP have their turn.
  void read_udp() {
    char buffer[kDnsMessageBytesMax];
    for (int i = 0; i < 64; ++i) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t n =
          recvfrom(udp.get(), buffer, sizeof buffer, 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (n < 0) return;
      answer(std::string_view(buffer, static_cast<size_t>(n)), DnsTransport::kUdp,
             [this, from](std::string reply) {
               (void)sendto(udp.get(), reply.data(), reply.size(), MSG_NOSIGNAL,
                            reinterpret_cast<const sockaddr*>(&from), sizeof from);
             });
    }
  }

  void wait_tcp() {
    tcp_watch->wait_readable([this] {
      UniqueFd accepted(accept4(tcp.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (accepted && clients.size() < kDnsTcpClientsMax) serve_client(std::move(accepted));
      wait_tcp();
    });
  }

  void serve_client(UniqueFd accepted) {
    const uint64_t id = ++last_client;
    Client& client = clients[id];
    client.channel = FdChannel::open(loop, std::move(accepted));
    client.patience = std::make_unique<ScopedTimer>(loop);
    client.patience->arm(kDnsTcpIdleTimeout, [this, id] { drop_client(id); });
    FdChannel::Events events;
    events.on_bytes = [this, id](std::string_view bytes) { on_client_bytes(id, bytes); };
    events.on_end = [this, id] { drop_client(id); };
    events.on_broken = [this, id] { drop_client(id); };
    events.on_drain = [this, id] {
      clients.at(id).channel->resume_reading();
      answer_client(id);
    };
    client.channel->start(std::move(events));
    client.channel->resume_reading();
  }

  void on_client_bytes(uint64_t id, std::string_view bytes) {
    Client& client = clients.at(id);
    client.arrived += bytes;
    client.patience->arm(kDnsTcpIdleTimeout, [this, id] { drop_client(id); });
    answer_client(id);
  }

  // What has arrived, as long as the client takes the answers; who does not is not read either, until it does or its time
  // is up.
  void answer_client(uint64_t id) {
    Client& client = clients.at(id);
    std::string message;
    while (client.channel->backlog() <= kDnsTcpBacklogBytesMax && take_message(client.arrived, message)) {
      answer(message, DnsTransport::kTcp, [this, id](std::string reply) {
        const auto found = clients.find(id);
        if (found != clients.end()) found->second.channel->write(framed(reply));
      });
    }
    if (client.channel->backlog() > kDnsTcpBacklogBytesMax) client.channel->pause_reading();
  }

  void drop_client(uint64_t id) {
    const auto found = clients.find(id);
    if (found == clients.end()) return;
    found->second.channel->close();
    clients.erase(found);
  }

  void answer(std::string_view query, DnsTransport transport, Reply reply) {
    auto reaction = react_to_dns_query(query, zone, transport);
    if (reaction.step == DnsStep::kDrop) return;
    if (reaction.step == DnsStep::kReply) return reply(std::move(reaction.bytes));
    const std::string original(query);
    if (forwards.size() >= kDnsForwardsMax || reaction.bytes.empty())
      return reply(dns_server_failure(original));
    const auto forward = std::make_shared<DnsForward>(
        loop, options, std::move(reaction.bytes), transport,
        [this, original, transport, is_alias = reaction.is_alias, reply = std::move(reply)](
            const std::shared_ptr<DnsForward>& self, std::string upstream) {
          if (upstream.empty()) {
            reply(dns_server_failure(original));
          } else {
            reply(is_alias ? finish_alias(original, upstream, zone, transport)
                           : std::move(upstream));
          }
          forwards.erase(self);
        });
    forwards.insert(forward);
    forward->ask_next();
  }

  EventLoop& loop;
  const DnsServerOptions options;
  control::DnsZone zone;
  UniqueFd udp, tcp;
  std::unique_ptr<FdWatch> udp_watch, tcp_watch;
  std::set<std::shared_ptr<DnsForward>> forwards;
  std::map<uint64_t, Client> clients;
  uint64_t last_client = 0;
};

DnsServer::DnsServer(IoThreads& threads, DnsServerOptions options, UniqueFd udp, UniqueFd tcp)
    : threads_(threads),
      state_(std::make_shared<State>(*threads.loop(0), std::move(options), std::move(udp),
                                     std::move(tcp))) {
  state_->loop.post([state = state_] { state->begin(); });
}

DnsServer::~DnsServer() {
  run_on(*threads_.loop(0), [this] { state_->end(); });
}

void DnsServer::apply(control::DnsChange change) {
  state_->loop.post([state = state_, change = std::move(change)] { state->zone.apply(change); });
}

std::vector<uint32_t> name_servers_of(const std::string& resolv_conf) {
  std::vector<uint32_t> servers;
  std::ifstream file(resolv_conf);
  std::string line;
  while (std::getline(file, line)) {
    if (!line.starts_with("nameserver")) continue;
    uint32_t address = 0;
    if (parse_ipv4(trim(std::string_view(line).substr(10)), address)) servers.push_back(address);
  }
  return servers;
}

}  // namespace minik
