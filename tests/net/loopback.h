// How probes that are tested reach their servers: what a pod's network is to them, 127.0.0.1 is here.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <string>

#include "control/base/result.h"
#include "control/base/text.h"
#include "minik/net/blocking_stream.h"
#include "minik/net/unique_fd.h"

namespace minik {

inline Result<UniqueFd> dial(const std::string& address, int port, const Deadline&) {
  UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, address.c_str(), &to.sin_addr);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    return Error(ErrorCode::kServiceUnavailable, cat("dial tcp ", address, ":", port, ": connect: connection refused"));
  }
  return fd;
}

}  // namespace minik
