#include "runtime/image/registry_session.h"

#include <boost/json.hpp>

#include "control/base/text.h"

namespace minik::runtime {
namespace {

constexpr int kRedirectsMax = 5;

bool on_this_machine(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

PeerOptions peer_options(const TransferOptions& options) {
  PeerOptions peer;
  peer.authorities_file = options.authorities_file;
  peer.cancelled = options.cancelled;
  return peer;
}

// {"errors":[{"code":…,"message":…}]}, as every registry writes them.
std::string registry_message(std::string_view body) {
  namespace json = boost::json;
  json::error_code failure;
  const json::value value = json::parse({body.data(), body.size()}, failure);
  if (failure || !value.is_object()) return "";
  const json::value* errors = value.get_object().if_contains("errors");
  if (errors == nullptr || !errors->is_array() || errors->get_array().empty()) return "";
  const json::value& first = errors->get_array().front();
  if (!first.is_object()) return "";
  const json::value* message = first.get_object().if_contains("message");
  if (message == nullptr || !message->is_string()) return "";
  std::string text(message->get_string().data(), message->get_string().size());
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text.substr(0, 200);
}

}  // namespace

RegistrySession::RegistrySession(const Reference& reference, const TransferOptions& options)
    : reference_(reference), options_(options), client_(peer_options(options)) {}

Status RegistrySession::find_scheme() {
  if (scheme_known_) return {};
  // Docker Hub's registry is not at the name that its images carry.
  const std::string host =
      reference_.domain == "docker.io" ? "registry-1.docker.io" : reference_.domain;
  MINIK_ASSIGN(base_, parse_url(cat("https://", host, "/v2/", reference_.path, "/")));
  if (on_this_machine(base_.host)) {
    HttpRequest probe;
    probe.url = base_;
    probe.url.target = "/v2/";
    auto answer = client_.send(probe);
    if (!answer && answer.error().code == ErrorCode::kServiceUnavailable) {
      MINIK_ASSIGN(base_, parse_url(cat("http://", host, "/v2/", reference_.path, "/")));
    } else if (!answer) {
      return std::move(answer).error();
    }
  }
  scheme_known_ = true;
  return {};
}

Result<Url> RegistrySession::resolve(std::string_view location) const {
  return resolve_url(base_, location);
}

Result<HttpResponse> RegistrySession::request(HttpRequest request, const std::string& path,
                                              const HttpClient::BodySink& sink) {
  MINIK_TRY(find_scheme());
  Url url = base_;
  url.target += path;
  return request_at(std::move(request), url, sink);
}

Result<HttpResponse> RegistrySession::request_at(HttpRequest request, const Url& url,
                                                 const HttpClient::BodySink& sink) {
  const auto headers = request.headers;
  request.url = url;
  bool challenged = false;
  for (int redirects = 0; redirects <= kRedirectsMax;) {
    request.headers = headers;
    const bool own = request.url.origin() == base_.origin();
    if (own && !authorization_.empty())
      request.headers.emplace_back("Authorization", authorization_);
    MINIK_ASSIGN(HttpResponse response, client_.send(request, sink));
    if (response.status == 401 && own && !challenged) {
      challenged = true;
      MINIK_TRY(authenticate(response));
      continue;
    }
    const bool moved = response.status == 301 || response.status == 302 || response.status == 303 ||
                       response.status == 307 || response.status == 308;
    const bool reading = request.method == "GET" || request.method == "HEAD";
    if (!moved || !reading) return response;
    MINIK_ASSIGN(Url next, resolve_url(request.url, response.header("location")));
    if (request.url.tls && !next.tls) {
      return Error(ErrorCode::kForbidden,
                   cat(base_.host, " redirects from HTTPS to plain ", next.origin()));
    }
    request.url = std::move(next);
    ++redirects;
  }
  return Error(ErrorCode::kServiceUnavailable,
               cat(base_.host, " redirects more than ", kRedirectsMax, " times"));
}

Status RegistrySession::authenticate(const HttpResponse& refused) {
  MINIK_ASSIGN(const AuthChallenge challenge, parse_challenge(refused.header("www-authenticate")));
  if (challenge.scheme == AuthChallenge::Scheme::kBearer) {
    MINIK_ASSIGN(const std::string value, token(challenge));
    authorization_ = cat("Bearer ", value);
    return {};
  }
  if (!options_.credentials) return failure(refused, "log in");
  const std::string answer = basic_authorization(*options_.credentials);
  if (answer == authorization_) return failure(refused, "log in");
  authorization_ = answer;
  return {};
}

Result<std::string> RegistrySession::token(const AuthChallenge& challenge) {
  std::string text = challenge.realm;
  char separator = text.find('?') == std::string::npos ? '?' : '&';
  const auto add = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    text += cat(separator, name, "=", encode_query(value));
    separator = '&';
  };
  add("service", challenge.service);
  for (const std::string_view scope : split(challenge.scope, ' ')) add("scope", scope);
  HttpRequest request;
  MINIK_ASSIGN(request.url, parse_url(text));
  if (options_.credentials) {
    if (!request.url.tls && !on_this_machine(request.url.host)) {
      return Error(ErrorCode::kForbidden, cat("the token server ", request.url.origin(),
                                              " would get the password without encryption"));
    }
    add("account", options_.credentials->username);
    MINIK_ASSIGN(request.url, parse_url(text));
    request.headers.emplace_back("Authorization", basic_authorization(*options_.credentials));
  }
  // A client of its own, so that the registry's connection stays open.
  HttpClient client(peer_options(options_));
  MINIK_ASSIGN(const HttpResponse response, client.send(request));
  if (response.status != 200) return failure(response, "get a token");
  return parse_token(response.body);
}

Error RegistrySession::failure(const HttpResponse& response, std::string_view what) const {
  const std::string said = registry_message(response.body);
  const auto error = [&](ErrorCode code, std::string_view why) {
    return Error(code, cat(reference_.domain, ": ", what, ": ", why, said.empty() ? "" : " (", said,
                           said.empty() ? "" : ")"));
  };
  switch (response.status) {
    case 401:
      return error(ErrorCode::kUnauthorized,
                   options_.credentials
                       ? "the user name or the password is wrong"
                       : "it wants a login, or there is no such image; give credentials (`docker login`; a pod's imagePullSecrets)");
    case 403:
      return error(ErrorCode::kForbidden, "this user may not");
    case 404:
      return error(ErrorCode::kNotFound, "there is no such image or part of it");
    case 429: {
      Error limited = error(ErrorCode::kTooManyRequests,
                            "its limit of requests is reached; wait, or log in for a higher one");
      limited.retry_after_seconds =
          static_cast<int>(parse_uint64(response.header("retry-after")).value_or(0) % 86400);
      return limited;
    }
    default:
      return error(response.status >= 500 ? ErrorCode::kServiceUnavailable : ErrorCode::kUnknown,
                   cat("it answered ", response.status));
  }
}

}  // namespace minik::runtime
