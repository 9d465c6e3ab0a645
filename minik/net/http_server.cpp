#include "minik/net/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "control/base/text.h"
#include "minik/net/http_connection.h"

namespace minik {
namespace {

constexpr int kAcceptsPerTurn = 32;
// Out of descriptors: connections must end before accepting makes sense again.
constexpr Duration kAcceptPause = milliseconds(100);

std::string address_text(const sockaddr_storage& storage) {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return cat(static_cast<const char*>(text), ":", ntohs(v4->sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&storage);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
    return cat("[", static_cast<const char*>(text), "]:", ntohs(v6->sin6_port));
  }
  return {};
}

struct Listener {
  Listener(EventLoop& loop, UniqueFd socket, std::shared_ptr<TlsServer> server)
      : fd(std::move(socket)), tls(std::move(server)), watch(loop, fd.get()), pause(loop) {}
  UniqueFd fd;
  std::shared_ptr<TlsServer> tls;
  FdWatch watch;
  ScopedTimer pause;
};

}  // namespace

struct HttpServer::Impl {
  explicit Impl(IoThreads& io) : threads(io), registries(io.size()) {}

  // The connections of one loop; touched on its thread alone.
  using Registry = std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>>;

  IoThreads& threads;
  std::shared_ptr<HttpServerShared> shared = std::make_shared<HttpServerShared>();
  std::vector<Registry> registries;
  std::vector<std::unique_ptr<Listener>> listeners;  // on loop 0
  std::atomic<size_t> connections = 0;
  std::atomic<size_t> next_to_shrink = 0;
  std::mutex emptied_mutex;
  std::condition_variable emptied;

  size_t index_of(const EventLoop& loop) const {
    size_t i = 0;
    while (threads.loop(i).get() != &loop) ++i;
    return i;
  }

  void accept_some(Listener& listener) {
    for (int i = 0; i < kAcceptsPerTurn; ++i) {
      sockaddr_storage storage{};
      socklen_t length = sizeof storage;
      UniqueFd fd(accept4(listener.fd.get(), reinterpret_cast<sockaddr*>(&storage), &length,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!fd) {
        if (errno == ECONNABORTED || errno == EINTR) continue;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
          return listener.pause.arm(kAcceptPause, [this, &listener] { wait(listener); });
        }
        break;
      }
      const size_t others = connections.fetch_add(1);
      if (others >= shared->options.connections_max) make_room(0);
      if (others >= shared->options.connections_max + kHttpConnectionsSpare) {
        release_slot();
        continue;  // closed at once: the client sees a reset and may come again
      }
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      setsockopt(fd.get(), SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
      open(std::move(fd), listener.tls, address_text(storage));
    }
    wait(listener);
  }

  // Whoever has waited longest for its own next request goes: a client that keeps a connection in reserve opens
  // another, while one that is being served would lose something. Loops are asked one after the other.
  void make_room(size_t asked) {
    if (asked == threads.size()) return;
    const size_t index = next_to_shrink.fetch_add(1) % threads.size();
    threads.loop(index)->post([this, index, asked] {
      if (shared->stopping || connections <= shared->options.connections_max) return;
      std::shared_ptr<HttpConnection> oldest;
      Instant since;
      for (const auto& [_, connection] : registries[index]) {
        const auto waiting = connection->waiting_since();
        if (waiting && (!oldest || *waiting < since)) oldest = connection, since = *waiting;
      }
      oldest ? oldest->abort() : make_room(asked + 1);
    });
  }

  void wait(Listener& listener) {
    listener.watch.wait_readable([this, &listener] { accept_some(listener); });
  }

  void open(UniqueFd fd, std::shared_ptr<TlsServer> tls, std::string remote) {
    const std::shared_ptr<EventLoop> loop = threads.next_loop();
    auto holder = std::make_shared<UniqueFd>(std::move(fd));
    Task begin = [this, loop, holder, tls = std::move(tls), remote = std::move(remote)] {
      if (shared->stopping) return release_slot();
      auto connection =
          std::make_shared<HttpConnection>(shared, tls, loop, std::move(*holder), remote);
      registries[index_of(*loop)].emplace(connection.get(), connection);
      connection->start();
    };
    if (loop->on_loop_thread()) {
      begin();
    } else {
      loop->post(std::move(begin));
    }
  }

  void release_slot() {
    if (connections.fetch_sub(1) != 1) return;
    const std::lock_guard lock(emptied_mutex);
    emptied.notify_all();
  }

  // Copies the set: the action may close connections, which removes them.
  void for_each_connection(void (HttpConnection::*action)()) {
    for (size_t i = 0; i < threads.size(); ++i) {
      run_on(*threads.loop(i), [&] {
        std::vector<std::shared_ptr<HttpConnection>> all;
        for (const auto& [_, connection] : registries[i]) all.push_back(connection);
        for (const auto& connection : all) ((*connection).*action)();
      });
    }
  }
};

HttpServer::HttpServer(IoThreads& threads, HttpServerOptions options, HttpHandler handler)
    : impl_(std::make_unique<Impl>(threads)) {
  impl_->shared->options = std::move(options);
  impl_->shared->handler = std::move(handler);
  impl_->shared->on_closed = [impl = impl_.get()](HttpConnection* connection) {
    if (impl->registries[impl->index_of(*connection->loop())].erase(connection) != 0) {
      impl->release_slot();
    }
  };
}

HttpServer::~HttpServer() {
  stop({});
}

void HttpServer::serve(UniqueFd listener, std::shared_ptr<TlsServer> tls) {
  auto holder = std::make_shared<UniqueFd>(std::move(listener));
  run_on(*impl_->threads.loop(0), [&] {
    impl_->listeners.push_back(
        std::make_unique<Listener>(*impl_->threads.loop(0), std::move(*holder), std::move(tls)));
    impl_->wait(*impl_->listeners.back());
  });
}

void HttpServer::stop(Duration grace) {
  impl_->shared->stopping = true;
  run_on(*impl_->threads.loop(0), [&] { impl_->listeners.clear(); });
  impl_->for_each_connection(&HttpConnection::begin_stop);
  {
    std::unique_lock lock(impl_->emptied_mutex);
    impl_->emptied.wait_for(lock, std::chrono::nanoseconds(grace.ns),
                            [&] { return impl_->connections == 0; });
  }
  impl_->for_each_connection(&HttpConnection::abort);
}

size_t HttpServer::connections() const {
  return impl_->connections;
}

}  // namespace minik
