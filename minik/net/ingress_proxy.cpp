#include "minik/net/ingress_proxy.h"

#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "control/base/log.h"
#include "control/base/text.h"
#include "minik/net/forwarded_request.h"
#include "minik/net/limits.h"
#include "minik/net/upstream_request.h"

namespace minik {

using control::IngressBackend;
using control::IngressRoutes;

struct IngressProxy::State {
  struct Certificate {
    std::vector<std::string> hosts;
    std::shared_ptr<TlsServer> server;
  };

  std::function<Result<UniqueFd>()> open;
  mutable std::mutex mutex;
  std::shared_ptr<const IngressRoutes> routes =
      std::make_shared<const IngressRoutes>();  // under mutex
  std::vector<Certificate> certificates;        // under mutex
  std::atomic<size_t> turn = 0;

  std::shared_ptr<const IngressRoutes> current() const {
    const std::lock_guard lock(mutex);
    return routes;
  }
};

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool percent_decode(std::string_view text, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size()) return false;
    const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
    if (high < 0 || low < 0) return false;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return true;
}

std::string_view host_of(const HttpRequest& request) {
  const auto host = request.header("host");
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

}  // namespace

std::string normalised_path(std::string_view path) {
  std::string decoded;
  if (!path.starts_with('/') || !percent_decode(path, decoded)) return {};
  std::vector<std::string_view> elements;
  for (const auto element : split(std::string_view(decoded).substr(1), '/')) {
    if (element == ".") continue;
    if (element == "..") {
      if (elements.empty()) return {};
      elements.pop_back();
      continue;
    }
    // Doubled slashes are one; a last empty element is the slash at the end.
    if (!elements.empty() && elements.back().empty()) elements.pop_back();
    elements.push_back(element);
  }
  std::string result;
  for (const auto element : elements) result += cat("/", element);
  return result.empty() ? "/" : result;
}

bool ingress_streams_body(const HttpRequest& head) {
  if (head.header_has_token("connection", "upgrade")) return false;
  const auto length = head.header("content-length");
  return length.empty() || parse_int64(length).value_or(INT64_MAX) > static_cast<int64_t>(kIngressHeldBodyBytesMax);
}

IngressProxy::IngressProxy(std::function<Result<UniqueFd>()> open)
    : state_(std::make_shared<State>()) {
  state_->open = std::move(open);
}

IngressProxy::~IngressProxy() = default;

void IngressProxy::set_routes(std::shared_ptr<const IngressRoutes> routes) {
  std::vector<State::Certificate> certificates;
  for (const auto& entry : routes->certificates) {
    auto server = TlsServer::create({entry.certificate_pem, entry.private_key_pem, ""});
    if (!server) {
      MINIK_LOG(kWarning, "ingress", cat("a TLS secret is left out: ", server.error().message));
      continue;
    }
    certificates.push_back({entry.hosts, std::move(*server)});
  }
  const std::lock_guard lock(state_->mutex);
  state_->routes = std::move(routes);
  state_->certificates = std::move(certificates);
}

// The one that names the host, else one for its whole domain, else one without hosts; of equal ones the oldest.
std::shared_ptr<TlsServer> IngressProxy::certificate_for(std::string_view name) const {
  const std::string lower = to_lower(name);
  const std::lock_guard lock(state_->mutex);
  std::shared_ptr<TlsServer> of_domain, of_any;
  for (const auto& certificate : state_->certificates) {
    if (certificate.hosts.empty() && !of_any) of_any = certificate.server;
    for (const auto& host : certificate.hosts) {
      if (to_lower(host) == lower) return certificate.server;
      if (!of_domain && control::host_matches(host, lower)) of_domain = certificate.server;
    }
  }
  return of_domain ? of_domain : of_any;
}

void IngressProxy::handle(HttpRequest request, Responder responder, IngressScheme scheme) {
  const auto routes = state_->current();
  const std::string path = normalised_path(request.path);
  if (path.empty()) return responder.respond(HttpResponse::text(400, "the path is not valid\n"));
  const IngressBackend* backend = routes->find(host_of(request), path);
  if (backend == nullptr) {
    return responder.respond(
        HttpResponse::text(404, cat("no Ingress routes ", host_of(request), path, "\n")));
  }
  if (backend->endpoints.empty()) {
    const auto why = backend->exists ? " has no ready endpoints\n" : " does not exist\n";
    return responder.respond(HttpResponse::text(503, cat("service ", backend->name, why)));
  }
  UpstreamOrder order;
  order.method = request.method;
  order.bytes =
      forwarded_request(request, {request.path, scheme == IngressScheme::kHttps ? "https" : "http"});
  pass_on_body(request, order);
  order.route.open = state_->open;
  order.repeatable = is_repeatable(request);
  const size_t count = backend->endpoints.size();
  const size_t first = state_->turn++;
  for (size_t i = 0; i < count; ++i)
    order.route.endpoints.push_back(backend->endpoints[(first + i) % count]);
  const auto upstream = std::make_shared<UpstreamRequest>(std::move(order), responder);
  responder.loop()->post([upstream] { upstream->begin(); });
}

}  // namespace minik
