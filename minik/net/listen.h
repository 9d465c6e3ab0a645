// Listening sockets: TCP on an address of the current network namespace, or a Unix path.
// Non-blocking, close-on-exec, ready to be handed to a server. Thread-safe; nothing is kept.
//
// A socket that was opened in another network namespace needs none of this: its descriptor alone is
// what a server takes.
#pragma once

#include <cstdint>
#include <string>

#include "control/base/result.h"
#include "minik/net/unique_fd.h"

namespace minik {

// Address in IPv4 or IPv6 text; port 0 lets the kernel choose. A port in use is kConflict with the
// remedy in its message.
Result<UniqueFd> listen_tcp(const std::string& address, uint16_t port);

// Replaces a stale socket file; only the owner may connect (0600).
Result<UniqueFd> listen_unix(const std::string& path);

// 0 for what is not TCP.
uint16_t local_port(int fd);

}  // namespace minik
