#include "minik/net/extension_servers.h"

#include <algorithm>
#include <utility>

#include "control/api/remote_discovery.h"
#include "control/base/ipv4.h"
#include "control/base/text.h"
#include "minik/net/forwarded_request.h"
#include "minik/net/limits.h"
#include "minik/net/upstream_fetch.h"
#include "minik/net/upstream_request.h"

namespace minik {

namespace {

bool is_sayable(std::string_view text) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
  }
  return true;
}

// As client-go writes a key into a header's name: what is no token character is percent-encoded, and so is '%'.
std::string header_key(std::string_view key) {
  constexpr std::string_view kToken = "!#$&'*+-.^_`|~";
  std::string escaped;
  for (const char c : key) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    escaped += letter || kToken.find(c) != std::string_view::npos ? std::string(1, c) : cat("%", to_hex({&c, 1}));
  }
  return escaped;
}

std::string trust_key(const control::RemoteApi& api, bool verified) {
  return verified ? cat("v", api.ca_bundle) : std::string("anybody");
}

}  // namespace

Result<std::vector<HttpHeader>> remote_user_headers(const control::UserInfo& user) {
  std::vector<HttpHeader> headers{{"x-remote-user", user.name}};
  if (!user.uid.empty()) headers.push_back({"x-remote-uid", user.uid});
  for (const auto& group : user.groups) headers.push_back({"x-remote-group", group});
  for (const auto& [key, values] : user.extra) {
    for (const auto& value : values) headers.push_back({cat("x-remote-extra-", header_key(key)), value});
  }
  for (const auto& header : headers) {
    // A certificate may name anybody; a line break in it would be a header of its own.
    if (!is_sayable(header.value))
      return Error(ErrorCode::kForbidden, "the user's name, groups or extra have characters that no HTTP header can carry");
  }
  return headers;
}

HttpsExtensionServers::HttpsExtensionServers(Executor& control, std::shared_ptr<EventLoop> loop, FrontProxyKeys keys,
                                             OpenSocket open)
    : control_(control), loop_(std::move(loop)), keys_(std::move(keys)), open_(std::move(open)) {}

Result<std::shared_ptr<const TlsClient>> HttpsExtensionServers::client(const control::RemoteApi& api, Trust trust) {
  const bool verified = trust == Trust::kVerified && !api.skip_tls_verify;
  const std::lock_guard lock(mutex_);
  auto& known = clients_[trust_key(api, verified)];
  if (known) return known;
  MINIK_ASSIGN(known, TlsClient::create({.ca_pem = api.ca_bundle,
                                         .certificate_pem = keys_.certificate_pem,
                                         .private_key_pem = keys_.private_key_pem,
                                         .check = verified ? ServerCheck::kFull : ServerCheck::kNone}));
  return known;
}

EndpointRoute HttpsExtensionServers::route(const std::vector<control::ProxyTarget::Endpoint>& endpoints,
                                           const control::RemoteApi& api) const {
  EndpointRoute route;
  for (const auto& endpoint : endpoints) {
    control::ServiceBackend backend;
    backend.port = endpoint.port;
    if (parse_ipv4(endpoint.address, backend.address)) route.endpoints.push_back(backend);
  }
  route.open = open_;
  route.server_name = api.server_name();
  return route;
}

void HttpsExtensionServers::fetch(const control::RemoteApi& api, Fetch fetch, std::function<void(Result<Answer>)> done) {
  FetchOrder order;
  order.route = route(fetch.endpoints, api);
  order.timeout = fetch.timeout;
  order.bytes_max = kExtensionDocumentBytesMax;
  order.request = cat("GET ", fetch.path, " HTTP/1.1\r\nhost: ", api.server_name(),
                      "\r\naccept: application/json\r\nuser-agent: kube-aggregator\r\nx-remote-user: system:kube-aggregator\r\n"
                      "x-remote-group: system:masters\r\nconnection: close\r\n\r\n");
  auto tls = client(api, fetch.trust);
  if (!tls) return control_.post([done, error = tls.error()] { done(error); });
  order.route.tls = *std::move(tls);
  loop_->post([loop = loop_, &control = control_, order = std::move(order), done = std::move(done)] {
    std::make_shared<UpstreamFetch>(loop, order, [&control, done](Result<FetchedDocument> document) {
      auto shared = std::make_shared<Result<FetchedDocument>>(std::move(document));
      control.post([done, shared] {
        *shared ? done(Answer{(*shared)->status, std::move((*shared)->body)}) : done(shared->error());
      });
    })->begin();
  });
}

void HttpsExtensionServers::publish(std::shared_ptr<const control::RemoteApis> apis) {
  const std::lock_guard lock(mutex_);
  apis_ = std::move(apis);
  ++generation_;
  std::erase_if(clients_, [this](const auto& entry) {
    return std::none_of(apis_->begin(), apis_->end(), [&](const control::RemoteApi& api) {
      return entry.first == trust_key(api, true) || entry.first == trust_key(api, false);
    });
  });
}

std::shared_ptr<const control::RemoteApis> HttpsExtensionServers::apis() const {
  const std::lock_guard lock(mutex_);
  return apis_;
}

uint64_t HttpsExtensionServers::generation() const {
  const std::lock_guard lock(mutex_);
  return generation_;
}

std::optional<control::RemoteApi> HttpsExtensionServers::serving(std::string_view path) const {
  constexpr std::string_view kApis = "/apis/";
  if (!path.starts_with(kApis)) return std::nullopt;
  const auto parts = split(path.substr(kApis.size()), '/');
  if (parts.size() < 2) return std::nullopt;
  const auto all = apis();
  const control::RemoteApi* found = control::find_remote(*all, parts[0], parts[1]);
  return found ? std::optional(*found) : std::nullopt;
}

Status HttpsExtensionServers::forward(const HttpRequest& request, const Responder& responder, const control::RemoteApi& api,
                                      Forward how) {
  const std::string name = api.server_name();
  UpstreamOrder order;
  ForwardedRequest head{request.path, "https", Credentials::kWithheld, name, {}};
  MINIK_ASSIGN(head.added, remote_user_headers(how.user));
  order.method = request.method;
  order.bytes = forwarded_request(request, head);
  pass_on_body(request, order);
  order.repeatable = is_repeatable(request);
  order.unreachable_status = 503;
  order.route = route(how.endpoints, api);
  MINIK_ASSIGN(order.route.tls, client(api, Trust::kVerified));
  order.answered = std::move(how.answered);
  order.adjust_head = [headers = std::move(how.headers)](HttpResponse& answer) {
    answer.headers.insert(answer.headers.end(), headers.begin(), headers.end());
  };
  std::make_shared<UpstreamRequest>(std::move(order), responder)->begin();
  return {};
}

}  // namespace minik
