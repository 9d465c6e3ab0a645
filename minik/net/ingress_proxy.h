// IngressProxy: answers HTTP requests with the endpoints that the Ingress routes name.
//
//   request --> normalised path, host --> route --> endpoint --> request anew --> answer, piece by
//   piece
//                                 404 | 503          next one when a connection fails
//
// A small request is passed on when it has come whole, so that a slow visitor holds no endpoint; a large
// body goes on as it comes. A connection that fails is made to another endpoint; what was sent to one is
// not sent to a second, but for a read (GET, HEAD, OPTIONS) whose endpoint left without a word. What streams has
// back-pressure, and keeps its length or goes in chunks where the client gave none. Upgrades (WebSocket) become two byte streams.
// The client's Host stays; X-Forwarded-* say where it came from; headers of the hop are removed.
// Endpoints of one route take turns.
//
// handle() runs on I/O threads, set_routes() on any. The routes in force when a request began are
// kept until it is done. `open` gives a non-blocking socket in the network of the endpoints and
// must not block.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/network/ingress_routes.h"
#include "minik/net/responder.h"
#include "minik/net/transport.h"
#include "minik/net/unique_fd.h"

namespace minik {

enum class IngressScheme { kHttp, kHttps };

class IngressProxy {
 public:
  explicit IngressProxy(std::function<Result<UniqueFd>()> open);
  ~IngressProxy();
  IngressProxy(const IngressProxy&) = delete;
  IngressProxy& operator=(const IngressProxy&) = delete;

  void set_routes(std::shared_ptr<const control::IngressRoutes> routes);
  void handle(HttpRequest request, Responder responder, IngressScheme scheme);
  // The certificate for a name, or null: for TlsServer::create.
  std::shared_ptr<TlsServer> certificate_for(std::string_view name) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// For HttpServerOptions: whether a body goes on as it comes.
bool ingress_streams_body(const HttpRequest& head);

// The path that routes are looked up with: percent-decoded, without "." and ".." elements and
// doubled slashes. Empty for one that would leave the root or is not decodable.
std::string normalised_path(std::string_view path);

}  // namespace minik
