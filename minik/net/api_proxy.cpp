#include "minik/net/api_proxy.h"

#include <memory>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "minik/net/forwarded_request.h"
#include "minik/net/upstream_request.h"

namespace minik {

std::string led_through(std::string_view location, std::string_view prefix) {
  const bool within = location.starts_with('/') && !location.starts_with("//");
  return within ? cat(prefix, location) : std::string(location);
}

void serve_proxy(const HttpRequest& request, const Responder& responder, const control::ProxyTarget& target,
                 size_t turn, std::function<Result<UniqueFd>()> open) {
  const ProxyPath path = split_proxy_path(request.path);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (path.rest.empty() && reads && !request.header_has_token("connection", "upgrade")) {
    const std::string there = cat(path.prefix, "/", request.query.empty() ? "" : "?", request.query);
    return responder.respond({301, {{"location", there}}, ""});
  }
  UpstreamOrder order;
  order.method = request.method;
  order.bytes = forwarded_request(
      request, {path.rest.empty() ? std::string_view("/") : path.rest, "https", Credentials::kWithheld});
  order.repeatable = is_repeatable(request);
  order.open = std::move(open);
  order.adjust_head = [prefix = std::string(path.prefix)](HttpResponse& head) {
    for (auto& header : head.headers) {
      if (header.name == "location") header.value = led_through(header.value, prefix);
    }
  };
  const size_t count = target.endpoints.size();
  for (size_t i = 0; i < count; ++i) {
    const auto& endpoint = target.endpoints[(turn + i) % count];
    control::ServiceBackend backend;
    backend.port = endpoint.port;
    if (parse_ipv4(endpoint.address, backend.address)) order.endpoints.push_back(backend);
  }
  std::make_shared<UpstreamRequest>(std::move(order), responder)->begin();
}

}  // namespace minik
