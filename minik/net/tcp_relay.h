// TcpRelay: carries TCP connections from listening sockets to where they should go, byte for byte,
// half-closes included. What lets 127.0.0.1 lead into the cluster's network, and pods out of it,
// although neither the machine's routes nor its firewall are touched.
//
//   listener --accept--> destination(accepted) --open(), connect--> two pumps until both sides have
//   ended
//
// Reading pauses while the other side does not take it. A connection that cannot be made is reset,
// so that the client sees a refusal and no silence. serve() and end() may be called from any thread
// but an I/O thread; the functions run on I/O threads and must not block. The relay must go before
// its IoThreads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "control/base/result.h"
#include "minik/net/io_threads.h"
#include "minik/net/limits.h"
#include "minik/net/unique_fd.h"

namespace minik {

struct RelayAddress {
  uint32_t address = 0;  // IPv4 in host order; 0: refuse
  uint16_t port = 0;
};

struct RelayRoute {
  // Where an accepted connection goes.
  std::function<RelayAddress(int accepted)> destination;
  // A non-blocking TCP socket in the network of the destination.
  std::function<Result<UniqueFd>()> open;
};

struct TcpRelayOptions {
  size_t connections_max = kRelayConnectionsMax;
  size_t connections_of_one_max = kRelayConnectionsOfOneMax;
};

// What is too many is reset.
class TcpRelay {
 public:
  explicit TcpRelay(IoThreads& threads, TcpRelayOptions options = {});
  // Ends everything.
  ~TcpRelay();
  TcpRelay(const TcpRelay&) = delete;
  TcpRelay& operator=(const TcpRelay&) = delete;

  // Accepts from a listening, non-blocking socket until end() of the number that it returns.
  uint64_t serve(UniqueFd listener, RelayRoute route);
  // Accepts no more; connections under way go on.
  void end(uint64_t id);

  struct Shared;

 private:
  std::shared_ptr<Shared> shared_;
  uint64_t last_id_ = 0;
};

// The destination that a connection had before the packet filter redirected it to us
// (SO_ORIGINAL_DST).
RelayAddress original_destination(int accepted);

}  // namespace minik
