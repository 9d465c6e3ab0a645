// The proxy subresource: what a client sends to …/pods/NAME/proxy/PATH goes to the pod as PATH, and the answer comes
// back as it is: streamed with back-pressure, upgrades as two byte streams. Services and nodes the same way.
//
//   GET …/services/web:80/proxy/a?b=c   -->   GET /a?b=c   to one of the Service's ready endpoints
//
// The API's own credentials stay here. A path that ends at "proxy" is redirected to "proxy/", so that relative links of
// a page work; a redirect of the endpoint within itself is led through the proxy again. Request bodies are read whole
// first, within the limit of every request to the API.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "control/api/proxy_target.h"
#include "minik/net/http_message.h"
#include "minik/net/proxy_path.h"
#include "minik/net/responder.h"
#include "minik/net/unique_fd.h"

namespace minik {

// A redirect of the endpoint as the client must follow it.
std::string led_through(std::string_view location, std::string_view prefix);

// `turn` says which endpoint is tried first; `open` gives a socket in the pods' network and must not block.
void serve_proxy(const HttpRequest& request, const Responder& responder, const control::ProxyTarget& target,
                 size_t turn, std::function<Result<UniqueFd>()> open);

}  // namespace minik
