#include "minik/process/webhook_client.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>

#include "control/base/text.h"
#include "minik/net/blocking_stream.h"
#include "minik/net/http_response_reader.h"
#include "minik/net/tls_client.h"

namespace minik {

namespace {

constexpr size_t kAnswerBytesMax = 3 * 1024 * 1024;  // kube-apiserver's limit of an answer
constexpr size_t kThreads = 8;                       // webhooks that may be slow at the same time

struct Target {
  std::string host, port, path;
};

Result<Target> parse_target(std::string_view url) {
  constexpr std::string_view kScheme = "https://";
  if (!url.starts_with(kScheme)) return Error(ErrorCode::kBadRequest, "unsupported protocol scheme");
  url.remove_prefix(kScheme.size());
  Target target;
  const size_t slash = std::min(url.find('/'), url.find('?'));
  std::string_view authority = url.substr(0, slash);
  target.path = slash == std::string_view::npos ? "/" : std::string(url.substr(slash));
  if (target.path[0] == '?') target.path = cat("/", target.path);
  target.port = "443";
  const bool bracket = authority.starts_with('[');
  const size_t end = bracket ? authority.find(']') : std::string_view::npos;
  const size_t colon = authority.find(':', bracket && end != std::string_view::npos ? end : 0);
  if (colon != std::string_view::npos) {
    target.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
  }
  target.host = bracket && end != std::string_view::npos ? authority.substr(1, end - 1) : authority;
  if (target.host.empty()) return Error(ErrorCode::kBadRequest, "no Host in request URL");
  return target;
}

Result<UniqueFd> dial_by_name(const Target& target, const Deadline& deadline) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found) != 0) {
    return Error(ErrorCode::kServiceUnavailable, cat("dial tcp: lookup ", target.host, ": no such host"));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  std::string why = "connection refused";
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    UniqueFd fd(socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) continue;
    int error = connect(fd.get(), one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      pollfd wait{fd.get(), POLLOUT, 0};
      if (poll(&wait, 1, deadline.left_ms()) <= 0) return Deadline::passed();
      socklen_t size = sizeof error;
      getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) return fd;
    why = error_from_errno(error, "connect").message;
  }
  return Error(ErrorCode::kServiceUnavailable, cat("dial tcp ", target.host, ":", target.port, ": ", why));
}

}  // namespace

Result<std::string> ask_webhook(const control::WebhookCall& call, const WebhookClient::Dial& into_cluster) {
  const Deadline deadline(call.timeout);
  MINIK_ASSIGN(const Target target, parse_target(call.url));
  MINIK_ASSIGN(const auto trusted, TlsClient::create({.ca_pem = call.ca_bundle}));
  auto fd = call.address.empty() ? dial_by_name(target, deadline) : into_cluster(call.address, call.port, deadline.left_ms());
  if (!fd) return deadline.left_ms() == 0 ? Deadline::passed() : std::move(fd).error();
  BlockingStream talk(*std::move(fd), deadline);
  MINIK_TRY(talk.shake_hands(*trusted, target.host));
  MINIK_TRY(talk.write(cat("POST ", target.path, " HTTP/1.1\r\nHost: ", target.host, "\r\nUser-Agent: kube-apiserver-admission\r\n",
                           "Content-Type: application/json\r\nAccept: application/json\r\nConnection: close\r\nContent-Length: ",
                           call.body.size(), "\r\n\r\n")));
  MINIK_TRY(talk.write(call.body));
  HttpResponseReader reader("POST");
  std::string body;
  while (reader.state() != HttpResponseReader::State::kComplete) {
    MINIK_ASSIGN(const std::string bytes, talk.read());
    if (bytes.empty()) reader.end();
    for (std::string_view rest = bytes; !rest.empty() && reader.state() != HttpResponseReader::State::kFailed;) {
      const size_t taken = reader.feed(rest);
      rest.remove_prefix(taken);
      body += reader.take_body();
      if (taken == 0) break;
    }
    body += reader.take_body();
    if (reader.state() == HttpResponseReader::State::kFailed || (bytes.empty() && reader.state() != HttpResponseReader::State::kComplete)) {
      return Error(ErrorCode::kServiceUnavailable, "EOF");
    }
    if (body.size() > kAnswerBytesMax) return Error(ErrorCode::kServiceUnavailable, "the answer is larger than 3 MiB");
  }
  if (reader.head().status != 200) {
    return Error(ErrorCode::kServiceUnavailable, cat("the server answered with status ", reader.head().status));
  }
  return body;
}

WebhookClient::WebhookClient(Executor& control, Dial into_cluster)
    : control_(control), into_cluster_(std::move(into_cluster)), workers_(control, {.threads = kThreads, .queue_max = 1024}) {}

void WebhookClient::call(control::WebhookCall call, std::function<void(Result<std::string>)> done) {
  const Status taken = workers_.run_for([this, call = std::move(call)] { return ask_webhook(call, into_cluster_); },
                                        [done](Result<std::string> result) { done(std::move(result)); });
  if (!taken.ok()) control_.post([done, error = taken.error()] { done(error); });
}

}  // namespace minik
