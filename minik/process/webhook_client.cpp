#include "minik/process/webhook_client.h"

#include <fcntl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>
#include <memory>

#include "control/base/text.h"
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

class Deadline {
 public:
  explicit Deadline(Duration limit) : end_ns_(now_ns() + limit.ns) {}
  int left_ms() const { return static_cast<int>(std::max<int64_t>((end_ns_ - now_ns()) / 1'000'000, 0)); }
  static Error passed() { return Error(ErrorCode::kTimeout, "context deadline exceeded"); }

 private:
  static int64_t now_ns() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
  }
  int64_t end_ns_;
};

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

using Session = std::unique_ptr<SSL, decltype(&SSL_free)>;

// One encrypted conversation on a socket that does not block, until the deadline.
class Conversation {
 public:
  Conversation(UniqueFd fd, const Deadline& deadline) : fd_(std::move(fd)), deadline_(deadline) {}

  Status shake_hands(SSL_CTX* context, const std::string& host) {
    tls_.reset(SSL_new(context));
    X509_VERIFY_PARAM* wanted = SSL_get0_param(tls_.get());
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host.c_str()) != 1) {
      SSL_set_tlsext_host_name(tls_.get(), host.c_str());
      X509_VERIFY_PARAM_set1_host(wanted, host.c_str(), host.size());
    }
    SSL_set_fd(tls_.get(), fd_.get());
    while (true) {
      const int result = SSL_connect(tls_.get());
      if (result == 1) return {};
      if (const Status waited = wait_for(result); waited.ok()) continue;
      const long verdict = SSL_get_verify_result(tls_.get());
      if (verdict != X509_V_OK) {
        return Error(ErrorCode::kForbidden, cat("tls: failed to verify certificate: x509: ", X509_verify_cert_error_string(verdict)));
      }
      return deadline_.left_ms() == 0 ? Deadline::passed() : Error(ErrorCode::kServiceUnavailable, "tls: handshake failure");
    }
  }

  Status write(std::string_view bytes) {
    while (!bytes.empty()) {
      const int taken = SSL_write(tls_.get(), bytes.data(), static_cast<int>(std::min<size_t>(bytes.size(), 1 << 20)));
      if (taken > 0) {
        bytes.remove_prefix(static_cast<size_t>(taken));
      } else {
        MINIK_TRY(wait_for(taken));
      }
    }
    return {};
  }

  // Empty at the end.
  Result<std::string> read() {
    char buffer[16 * 1024];
    while (true) {
      const int count = SSL_read(tls_.get(), buffer, sizeof buffer);
      if (count > 0) return std::string(buffer, static_cast<size_t>(count));
      const int error = SSL_get_error(tls_.get(), count);
      if (error == SSL_ERROR_ZERO_RETURN) return std::string();
      MINIK_TRY(wait_for(count));
    }
  }

 private:
  Status wait_for(int result) {
    const int error = SSL_get_error(tls_.get(), result);
    const bool to_read = error == SSL_ERROR_WANT_READ;
    if (!to_read && error != SSL_ERROR_WANT_WRITE) return Error(ErrorCode::kServiceUnavailable, "EOF");
    pollfd wait{fd_.get(), static_cast<short>(to_read ? POLLIN : POLLOUT), 0};
    return poll(&wait, 1, deadline_.left_ms()) > 0 ? Status() : Status(Deadline::passed());
  }

  UniqueFd fd_;
  const Deadline& deadline_;
  Session tls_{nullptr, SSL_free};
};

}  // namespace

Result<std::string> ask_webhook(const control::WebhookCall& call, const WebhookClient::Dial& into_cluster) {
  const Deadline deadline(call.timeout);
  MINIK_ASSIGN(const Target target, parse_target(call.url));
  MINIK_ASSIGN(const auto trusted, TlsClient::create({.ca_pem = call.ca_bundle}));
  auto fd = call.address.empty() ? dial_by_name(target, deadline) : into_cluster(call.address, call.port, deadline.left_ms());
  if (!fd) return deadline.left_ms() == 0 ? Deadline::passed() : std::move(fd).error();
  const int flags = fcntl(fd->get(), F_GETFL);
  fcntl(fd->get(), F_SETFL, flags | O_NONBLOCK);
  Conversation talk(*std::move(fd), deadline);
  MINIK_TRY(talk.shake_hands(trusted->context(), target.host));
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
