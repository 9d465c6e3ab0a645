// The proxy subresource: what a client sends to …/pods/NAME/proxy/PATH goes to the pod as PATH, and the answer comes
// back as it is: streamed with back-pressure, upgrades as two byte streams. Services and nodes the same way.
//
//   GET …/services/web:80/proxy/a?b=c   -->   GET /a?b=c   to one of the Service's ready endpoints
//
// The API's own credentials stay here. A path that ends at "proxy" is redirected to "proxy/", so that relative links of
// a page work; a redirect of the endpoint within itself and the absolute links of its pages are led through the proxy
// again (html_links.h).
#pragma once

#include <functional>
#include <memory>

#include "control/api/proxy_target.h"
#include "minik/net/html_links.h"
#include "minik/net/http_message.h"
#include "minik/net/proxy_path.h"
#include "minik/net/responder.h"
#include "minik/net/tls_client.h"
#include "minik/net/unique_fd.h"

namespace minik {

struct ProxyNetwork {
  std::function<Result<UniqueFd>()> open;  // a socket in the pods' network; must not block
  std::shared_ptr<const TlsClient> tls;    // for https targets
};

// `turn` says which endpoint is tried first.
void serve_proxy(const HttpRequest& request, const Responder& responder, const control::ProxyTarget& target,
                 size_t turn, const ProxyNetwork& network);

}  // namespace minik
