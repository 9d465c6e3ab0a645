#include "minik/net/api_proxy.h"

#include <memory>
#include <string>
#include <string_view>

#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "minik/net/forwarded_request.h"
#include "minik/net/upstream_request.h"

namespace minik {

namespace {

bool accepts_pages(const HttpRequest& request) { return request.header("accept").find("html") != std::string_view::npos; }

// In plain text: what is compressed passes as it is.
bool is_page(const HttpResponse& head) {
  std::string_view type, encoding;
  for (const auto& header : head.headers) {
    if (header.name == "content-type") type = header.value;
    if (header.name == "content-encoding") encoding = header.value;
  }
  return type.starts_with("text/html") && (encoding.empty() || encoding == "identity");
}

// The endpoint does not say which pages of other hosts may read the API's answers.
void drop_cors(HttpResponse& head) {
  std::erase_if(head.headers, [](const HttpHeader& header) { return header.name.starts_with("access-control-"); });
}

}  // namespace

void serve_proxy(const HttpRequest& request, const Responder& responder, const control::ProxyTarget& target,
                 size_t turn, const ProxyNetwork& network) {
  const ProxyPath path = split_proxy_path(request.path);
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (path.rest.empty() && reads && !request.header_has_token("connection", "upgrade")) {
    const std::string there = cat(path.prefix, "/", request.query.empty() ? "" : "?", request.query);
    return responder.respond({301, {{"location", there}}, ""});
  }
  UpstreamOrder order;
  order.method = request.method;
  ForwardedRequest head{path.rest.empty() ? std::string_view("/") : path.rest, "https", Credentials::kWithheld};
  if (accepts_pages(request)) head.omitted = "accept-encoding";
  order.bytes = forwarded_request(request, head);
  pass_on_body(request, order);
  order.repeatable = is_repeatable(request);
  order.route.open = network.open;
  if (target.scheme == control::ProxyScheme::kHttps) order.route.tls = network.tls;
  const std::string prefix(path.prefix), host(request.header("host"));
  order.adjust_head = [prefix, host](HttpResponse& answer) {
    drop_cors(answer);
    for (auto& header : answer.headers) {
      if (header.name == "location") header.value = led_through(header.value, prefix, host);
    }
  };
  order.links = [prefix, host](const HttpResponse& answer) {
    return is_page(answer) ? std::make_unique<HtmlLinks>(prefix, host) : nullptr;
  };
  const size_t count = target.endpoints.size();
  for (size_t i = 0; i < count; ++i) {
    const auto& endpoint = target.endpoints[(turn + i) % count];
    control::ServiceBackend backend;
    backend.port = endpoint.port;
    if (parse_ipv4(endpoint.address, backend.address)) order.route.endpoints.push_back(backend);
  }
  std::make_shared<UpstreamRequest>(std::move(order), responder)->begin();
}

}  // namespace minik
