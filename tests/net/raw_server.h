// A server that does with each connection what the test says, byte for byte: what no well-behaved
// HTTP server would do. One connection at a time, on a thread of its own.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "minik/net/listen.h"
#include "minik/net/unique_fd.h"

namespace minik {

class RawServer {
 public:
  explicit RawServer(std::function<void(int fd)> serve) : listener_(*listen_tcp("127.0.0.1", 0)) {
    port_ = local_port(listener_.get());
    fcntl(listener_.get(), F_SETFL, fcntl(listener_.get(), F_GETFL) & ~O_NONBLOCK);
    thread_ = std::thread([this, serve = std::move(serve)] {
      while (true) {
        const UniqueFd fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
        if (!fd) return;
        const timeval patience{10, 0};
        setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        ++connections_;
        serve(fd.get());
      }
    });
  }
  ~RawServer() {
    shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  uint16_t port() const { return port_; }
  int connections() const { return connections_; }

  // Up to and with the text; what there was, at the end of the connection.
  static std::string read_until(int fd, std::string_view text) {
    std::string all;
    char byte = 0;
    while (!all.ends_with(text) && recv(fd, &byte, 1, 0) == 1) all += byte;
    return all;
  }
  static void say(int fd, std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      text.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // Reads a head, then answers with these bytes and closes.
  static std::function<void(int fd)> answering(std::string bytes) {
    return [bytes](int fd) {
      read_until(fd, "\r\n\r\n");
      say(fd, bytes);
    };
  }

 private:
  UniqueFd listener_;
  uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  std::thread thread_;
};

}  // namespace minik
