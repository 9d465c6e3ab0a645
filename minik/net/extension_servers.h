// HttpsExtensionServers: the API servers beside this one, as the process reaches them: HTTPS to the pods behind
// their Services, with the front proxy's client certificate by which they know that X-Remote-* headers are true.
//
//   control thread  fetch(), publish()      --> I/O loop: dial, TLS, GET, whole answer --post--> control thread
//   I/O threads     find(), forward()       --> what a client sends to /apis/GROUP/VERSION/… goes on as it is
//
// Thread-safe where it says so. Outlives the API server and the front; what it hands out may outlive it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/api/api_aggregator.h"
#include "control/client/request.h"
#include "minik/net/endpoint_dial.h"
#include "minik/net/http_message.h"
#include "minik/net/io_threads.h"
#include "minik/net/responder.h"

namespace minik {

struct FrontProxyKeys {
  std::string certificate_pem, private_key_pem;  // CN front-proxy-client
};

class HttpsExtensionServers final : public control::ExtensionServers {
 public:
  using OpenSocket = std::function<Result<UniqueFd>()>;

  HttpsExtensionServers(Executor& control, std::shared_ptr<EventLoop> loop, FrontProxyKeys keys, OpenSocket open);

  // --- control thread ---
  void fetch(const control::RemoteApi& api, Fetch fetch, std::function<void(Result<Answer>)> done) override;
  void publish(std::shared_ptr<const control::RemoteApis> apis) override;

  // --- any thread ---
  std::shared_ptr<const control::RemoteApis> apis() const;
  uint64_t generation() const;
  // Who serves this path ("/apis/G/V", "/apis/G/V/…"); nothing where this server does.
  std::optional<control::RemoteApi> serving(std::string_view path) const;

  struct Forward {
    control::UserInfo user;
    std::vector<control::ProxyTarget::Endpoint> endpoints;
    std::function<void(int status)> answered = {};  // on the loop, as soon as the answer begins
    std::vector<HttpHeader> headers = {};           // of this server, beside the answer's own
  };
  // On the loop of the responder. kInternalError for what cannot be told to that server.
  Status forward(const HttpRequest& request, const Responder& responder, const control::RemoteApi& api, Forward how);

 private:
  EndpointRoute route(const std::vector<control::ProxyTarget::Endpoint>& endpoints, const control::RemoteApi& api) const;
  Result<std::shared_ptr<const TlsClient>> client(const control::RemoteApi& api, Trust trust);

  Executor& control_;
  const std::shared_ptr<EventLoop> loop_;
  const FrontProxyKeys keys_;
  const OpenSocket open_;
  mutable std::mutex mutex_;
  std::shared_ptr<const control::RemoteApis> apis_ = std::make_shared<const control::RemoteApis>();
  uint64_t generation_ = 0;
  // By what they trust; those that no published API needs are dropped.
  std::map<std::string, std::shared_ptr<const TlsClient>> clients_;
};

// Who asks, in the headers of the front proxy. kForbidden when he has a name that no header can say.
Result<std::vector<HttpHeader>> remote_user_headers(const control::UserInfo& user);

}  // namespace minik
