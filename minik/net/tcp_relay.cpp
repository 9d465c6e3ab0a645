#include "minik/net/tcp_relay.h"

#include <arpa/inet.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "minik/net/fd_channel.h"
#include "minik/net/limits.h"

namespace minik {

namespace {

void reset_on_close(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

// A side that vanishes without a word, as a machine that loses its power does, is found out by the kernel.
void notice_silence(int fd) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

}  // namespace

class RelayConnection;

struct TcpRelay::Shared : std::enable_shared_from_this<TcpRelay::Shared> {
  Shared(IoThreads& io, TcpRelayOptions o) : threads(io), options(o), connections(io.size()) {}

  struct Listener {
    UniqueFd fd;
    RelayRoute route;
    std::unique_ptr<FdWatch> watch;
  };
  void accept_from(Listener& listener);
  void wait(Listener& listener);
  // A place for one more connection of this address; false: there is none.
  bool take_place(uint32_t source) {
    const std::lock_guard lock(mutex);
    if (open >= options.connections_max || open_of[source] >= options.connections_of_one_max) return false;
    ++open;
    ++open_of[source];
    return true;
  }
  void leave_place(uint32_t source) {
    const std::lock_guard lock(mutex);
    --open;
    if (--open_of[source] == 0) open_of.erase(source);
  }

  IoThreads& threads;
  const TcpRelayOptions options;
  std::map<uint64_t, Listener> listeners;  // on loop 0
  size_t next_loop = 0;                    // likewise
  // Each loop's own, on its thread.
  std::vector<std::set<std::shared_ptr<RelayConnection>>> connections;

 private:
  std::mutex mutex;
  size_t open = 0;
  std::map<uint32_t, size_t> open_of;  // by address
};

// One accepted connection and the one it leads to; lives on one loop.
class RelayConnection : public std::enable_shared_from_this<RelayConnection> {
 public:
  RelayConnection(std::shared_ptr<TcpRelay::Shared> shared, size_t loop, UniqueFd accepted, uint32_t source)
      : shared_(std::move(shared)),
        loop_index_(loop),
        source_(source),
        loop_(*shared_->threads.loop(loop)),
        patience_(loop_),
        accepted_(std::move(accepted)) {}

  void begin(const RelayRoute& route) {
    const RelayAddress to = route.destination(accepted_.get());
    auto opened = to.address == 0 ? Result<UniqueFd>(Error(ErrorCode::kNotFound, "no destination"))
                                  : route.open();
    if (!opened) return refuse();
    target_ = std::move(*opened);
    notice_silence(target_.get());
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(to.port);
    address.sin_addr.s_addr = htonl(to.address);
    const int code =
        connect(target_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    if (code != 0 && errno != EINPROGRESS) return refuse();
    connecting_ = std::make_unique<FdWatch>(loop_, target_.get());
    connecting_->wait_writable([this] { on_connected(); });
    patience_.arm(kRelayConnectTimeout, [this] { refuse(); });
  }

  void close() {
    patience_.cancel();
    connecting_.reset();
    for (auto& side : sides_) {
      if (side.channel) side.channel->close();
      side.channel.reset();
    }
    accepted_.reset();
    target_.reset();
  }

 private:
  struct Side {
    std::shared_ptr<FdChannel> channel;
    bool ended = false;
  };

  void refuse() {
    reset_on_close(accepted_.get());
    finish();
  }

  void finish() {
    const auto self = shared_from_this();
    close();
    if (shared_->connections[loop_index_].erase(self) != 0) shared_->leave_place(source_);
  }

  void on_connected() {
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(target_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return refuse();
    patience_.cancel();
    // From inside its own callback: the watch may go.
    connecting_.reset();
    sides_[0].channel = FdChannel::open(loop_, std::move(accepted_));
    sides_[1].channel = FdChannel::open(loop_, std::move(target_));
    for (size_t i = 0; i < 2; ++i) start(i);
  }

  void start(size_t index) {
    Side& from = sides_[index];
    Side& to = sides_[1 - index];
    FdChannel::Events events;
    events.on_bytes = [&from, &to](std::string_view bytes) {
      to.channel->write(bytes);
      if (to.channel->backlog() > kPumpBacklogBytesMax) from.channel->pause_reading();
    };
    events.on_end = [this, &from, &to] {
      from.ended = true;
      to.channel->end_writing();
      finish_when_done();
    };
    events.on_drain = [this, &to] {
      to.channel->resume_reading();  // `to` is who fills this side
      finish_when_done();
    };
    events.on_broken = [this] { finish(); };
    from.channel->start(std::move(events));
    from.channel->resume_reading();
  }

  void finish_when_done() {
    for (const auto& side : sides_) {
      if (!side.ended || side.channel->backlog() != 0) return;
    }
    finish();
  }

  const std::shared_ptr<TcpRelay::Shared> shared_;
  const size_t loop_index_;
  const uint32_t source_;
  EventLoop& loop_;
  ScopedTimer patience_;
  UniqueFd accepted_, target_;
  std::unique_ptr<FdWatch> connecting_;
  Side sides_[2];
};

void TcpRelay::Shared::wait(Listener& listener) {
  listener.watch->wait_readable([this, &listener] {
    accept_from(listener);
    wait(listener);
  });
}

void TcpRelay::Shared::accept_from(Listener& listener) {
  while (true) {
    sockaddr_in from{};
    socklen_t size = sizeof from;
    UniqueFd accepted(accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!accepted) return;
    const uint32_t source = from.sin_family == AF_INET ? ntohl(from.sin_addr.s_addr) : 0;
    if (!take_place(source)) {
      reset_on_close(accepted.get());
      continue;
    }
    notice_silence(accepted.get());
    const size_t loop = next_loop++ % connections.size();
    const auto holder = std::make_shared<UniqueFd>(std::move(accepted));
    threads.loop(loop)->post([self = shared_from_this(), loop, holder, source, route = listener.route] {
      const auto connection = std::make_shared<RelayConnection>(self, loop, std::move(*holder), source);
      self->connections[loop].insert(connection);
      connection->begin(route);
    });
  }
}

TcpRelay::TcpRelay(IoThreads& threads, TcpRelayOptions options) : shared_(std::make_shared<Shared>(threads, options)) {}

TcpRelay::~TcpRelay() {
  run_on(*shared_->threads.loop(0), [this] { shared_->listeners.clear(); });
  for (size_t i = 0; i < shared_->connections.size(); ++i) {
    run_on(*shared_->threads.loop(i), [this, i] {
      for (const auto& connection : shared_->connections[i]) connection->close();
      shared_->connections[i].clear();
    });
  }
}

uint64_t TcpRelay::serve(UniqueFd listener, RelayRoute route) {
  const uint64_t id = ++last_id_;
  const auto holder = std::make_shared<UniqueFd>(std::move(listener));
  shared_->threads.loop(0)->post(
      [shared = shared_, id, holder, route = std::move(route)]() mutable {
        auto& added = shared->listeners[id];
        added.fd = std::move(*holder);
        added.route = std::move(route);
        added.watch = std::make_unique<FdWatch>(*shared->threads.loop(0), added.fd.get());
        shared->wait(added);
      });
  return id;
}

void TcpRelay::end(uint64_t id) {
  shared_->threads.loop(0)->post([shared = shared_, id] { shared->listeners.erase(id); });
}

RelayAddress original_destination(int accepted) {
  sockaddr_in original{};
  socklen_t size = sizeof original;
  if (getsockopt(accepted, SOL_IP, SO_ORIGINAL_DST, &original, &size) != 0) return {};
  sockaddr_in own{};
  size = sizeof own;
  // Somebody who dials the relay itself would otherwise be led round in circles.
  if (getsockname(accepted, reinterpret_cast<sockaddr*>(&own), &size) != 0 ||
      (own.sin_addr.s_addr == original.sin_addr.s_addr && own.sin_port == original.sin_port)) {
    return {};
  }
  return {ntohl(original.sin_addr.s_addr), ntohs(original.sin_port)};
}

}  // namespace minik
