#include "tests/image/loopback_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/base/text.h"

namespace minik::runtime {
namespace {

SeenRequest parse(const std::string& head) {
  SeenRequest request;
  const auto lines = split(head, '\n');
  const auto words = split(trim(lines[0]), ' ');
  if (words.size() > 1) {
    request.method = words[0];
    request.target = words[1];
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    const size_t colon = lines[i].find(':');
    if (colon == std::string_view::npos) continue;
    request.headers[to_lower(lines[i].substr(0, colon))] = trim(lines[i].substr(colon + 1));
  }
  return request;
}

}  // namespace

LoopbackServer::LoopbackServer(Handler handler) : handler_(std::move(handler)) {
  listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  EXPECT_EQ(::bind(listener_.get(), generic, sizeof address), 0);
  EXPECT_EQ(::listen(listener_.get(), 16), 0);
  socklen_t size = sizeof address;
  ::getsockname(listener_.get(), generic, &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

LoopbackServer::~LoopbackServer() {
  stopping_ = true;
  ::shutdown(listener_.get(), SHUT_RDWR);
  thread_.join();
}

std::string LoopbackServer::authority() const {
  return cat("127.0.0.1:", port_);
}

std::vector<SeenRequest> LoopbackServer::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

std::string LoopbackServer::answer(int status, const std::string& body,
                                   const std::string& headers) {
  return cat("HTTP/1.1 ", status, " Words\r\nContent-Length: ", body.size(), "\r\n", headers,
             "Connection: close\r\n\r\n", body);
}

void LoopbackServer::serve() {
  while (!stopping_) {
    const UniqueFd peer(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!peer) return;
    std::string head;
    char byte = 0;
    while (!head.ends_with("\r\n\r\n") && ::recv(peer.get(), &byte, 1, 0) == 1) {
      head += byte;
      // A TLS client introduces itself with this byte; it is sent away at once.
      if (head == "\x16") break;
    }
    if (!head.ends_with("\r\n\r\n")) continue;
    const SeenRequest request = parse(head);
    {
      const std::lock_guard lock(mutex_);
      seen_.push_back(request);
    }
    const std::string bytes = handler_(request);
    (void)!::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
}

}  // namespace minik::runtime
