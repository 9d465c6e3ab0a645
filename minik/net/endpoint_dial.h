// EndpointDial: connections to the endpoints behind a Service, one after the other in their order, until one of
// them takes us: plain, or under TLS with its handshake done.
//
//   next() --socket, connect--> accepted --handshake, if any--> stream
//             ^                    |              |
//             `--next endpoint <--refused, late --'
//
// Belongs to one loop's thread. Each next() calls back once, later; what is under way is given up when the dial is
// cancelled or goes. The error is the last endpoint's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/result.h"
#include "control/network/service_rules.h"
#include "minik/net/byte_stream.h"
#include "minik/net/tls_client.h"
#include "minik/net/unique_fd.h"

namespace minik {

struct EndpointRoute {
  std::vector<control::ServiceBackend> endpoints;  // in the order in which they are tried
  std::function<Result<UniqueFd>()> open;          // a non-blocking socket in their network
  std::shared_ptr<const TlsClient> tls = {};       // null: plain
  std::string server_name = {};                    // whom the certificate must name
};

class EndpointDial {
 public:
  using Done = std::function<void(Result<std::shared_ptr<ByteStream>>)>;

  EndpointDial(std::shared_ptr<EventLoop> loop, EndpointRoute route);
  void next(Done done);
  bool has_next() const { return next_ < route_.endpoints.size(); }
  void cancel();

 private:
  void try_next();
  void on_connected();
  void failed(Error error);

  const std::shared_ptr<EventLoop> loop_;
  const EndpointRoute route_;
  size_t next_ = 0;
  Done done_;
  Error last_;
  UniqueFd socket_;
  std::unique_ptr<FdWatch> connecting_;
  std::shared_ptr<TlsHandshake> handshake_;
  ScopedTimer timer_;
};

}  // namespace minik
