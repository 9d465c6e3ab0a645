#include "minik/process/http_probe.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "control/base/text.h"
#include "control/base/utf8.h"
#include "minik/net/http_message.h"
#include "minik/net/http_response_reader.h"
#include "minik/net/tls_client.h"
#include "runtime/image/http_client.h"

namespace minik {

namespace {

constexpr size_t kBodyBytesMax = 10 * 1024;  // the kubelet's limit: a probe asks for a word, not for a page
constexpr size_t kRedirectsMax = 10;

using runtime::Url;

// The path of a probe may be anything: what may not stand in a request is escaped, a fragment is not sent.
std::string request_target(std::string_view path) {
  path = path.substr(0, path.find('#'));
  std::string target = path.starts_with('/') ? "" : "/";
  constexpr std::string_view kEscaped = "\"<>\\^`{|}";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7f || kEscaped.find(c) != std::string_view::npos) {
      target += cat("%", to_hex(std::string_view(&c, 1)));
    } else {
      target += c;
    }
  }
  return target;
}

bool is_address(const std::string& host) {
  in6_addr any{};
  return inet_pton(AF_INET, host.c_str(), &any) == 1 || inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

// The node asks its own name servers, as a kubelet does: names of Services are not known to it.
Result<std::string> address_of(const std::string& host) {
  if (is_address(host)) return host;
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), nullptr, &hints, &found) != 0) {
    return Error(ErrorCode::kServiceUnavailable, cat("dial tcp: lookup ", host, ": no such host"));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> addresses(found, freeaddrinfo);
  char text[INET_ADDRSTRLEN];
  getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST);
  return std::string(text);
}

// What stands in a Host header and in messages: brackets around an IPv6 address, the port always, as probes name one.
std::string authority_of(const Url& url) { return cat(url.host.find(':') == std::string::npos ? url.host : cat("[", url.host, "]"), ":", url.port); }
std::string text_of(const Url& url) { return cat(url.tls ? "https://" : "http://", authority_of(url), url.target); }

// The headers of one probe, on each of its requests. One that is set to nothing is left out.
class ProbeHeaders {
 public:
  static Result<ProbeHeaders> of(const control::HttpProbe& probe) {
    ProbeHeaders headers;
    std::string agent = probe.user_agent, accept = "*/*";
    for (const auto& [name, value] : probe.headers) {
      // A line break would begin another header, or another request.
      if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
        return Error(ErrorCode::kInvalid, cat("net/http: invalid header field value for ", minik::quoted(name)));
      }
      if (equal_ignoring_case(name, "Host")) {
        headers.host_ = value;
      } else if (equal_ignoring_case(name, "User-Agent")) {
        agent = value;
      } else if (equal_ignoring_case(name, "Accept")) {
        accept = value;
      } else {
        headers.others_ += cat(name, ": ", value, "\r\n");
      }
    }
    if (!agent.empty()) headers.others_ = cat("User-Agent: ", agent, "\r\n", headers.others_);
    if (!accept.empty()) headers.others_ += cat("Accept: ", accept, "\r\n");
    return headers;
  }
  std::string request(const Url& url) const {
    return cat("GET ", url.target, " HTTP/1.1\r\nHost: ", host_.empty() ? authority_of(url) : host_, "\r\n", others_,
               "Connection: close\r\n\r\n");
  }
  // After a redirect that names a host, that is asked for.
  void forget_host() { host_.clear(); }

 private:
  std::string host_, others_;
};

struct Exchange {
  control::HttpAnswer answer;
  std::string location;  // of a redirect
};

bool is_redirect(int status) { return status == 301 || status == 302 || status == 303 || status == 307 || status == 308; }

Result<Exchange> exchange(const Url& url, const ProbeHeaders& headers, const Deadline& deadline, const ProbeDial& dial) {
  static const auto trusting = *TlsClient::create({.check = ServerCheck::kNone});
  MINIK_ASSIGN(const std::string address, address_of(url.host));
  MINIK_ASSIGN(auto fd, dial(address, static_cast<int>(parse_int64(url.port).value_or(0)), deadline));
  BlockingStream stream(std::move(fd), deadline);
  if (url.tls) MINIK_TRY(stream.shake_hands(*trusting, url.host));
  MINIK_TRY(stream.write(headers.request(url)));
  HttpResponseReader reader("GET");
  using State = HttpResponseReader::State;
  Exchange result;
  bool in_body = false;
  std::string pending;
  while (reader.state() != State::kComplete && result.answer.body.size() < kBodyBytesMax) {
    auto bytes = stream.read();
    if (!bytes) {
      if (!in_body || bytes.error().code != ErrorCode::kTimeout) return std::move(bytes).error();
      return Error(ErrorCode::kTimeout, "context deadline exceeded (Client.Timeout or context cancellation while reading body)");
    }
    if (bytes->empty()) reader.end();
    pending += *bytes;
    for (size_t taken = 1; taken > 0 && (reader.state() == State::kHead || reader.state() == State::kBody);) {
      taken = reader.feed(pending);
      pending.erase(0, taken);
      result.answer.body += reader.take_body();
    }
    if (reader.state() == State::kFailed && bytes->empty()) return Error(ErrorCode::kServiceUnavailable, in_body ? "unexpected EOF" : "EOF");
    if (reader.state() == State::kFailed) {
      return Error(ErrorCode::kServiceUnavailable, cat("net/http: HTTP/1.x transport connection broken: malformed HTTP response ",
                                                       minik::quoted(as_utf8(pending.substr(0, 64)))));
    }
    in_body = reader.state() == State::kBody;
  }
  result.answer.status = reader.head().status;
  result.answer.body = as_utf8(result.answer.body.substr(0, kBodyBytesMax));
  if (is_redirect(result.answer.status)) {
    for (const auto& header : reader.head().headers) {
      if (equal_ignoring_case(header.name, "location")) result.location = header.value;
    }
  }
  return result;
}

}  // namespace

Result<control::HttpAnswer> probe_http(const control::HttpProbe& probe, const std::string& pod_address, const Deadline& deadline,
                                       const ProbeDial& dial) {
  Url url{probe.https, probe.host.empty() ? pod_address : probe.host, cat(probe.port), request_target(probe.path)};
  const std::string named = url.host;
  const auto failed = [&](const std::string& at, const Error& error) {
    const bool late = deadline.left_ms() == 0 && error.message.find("Client.Timeout") == std::string::npos;
    return Error(late ? ErrorCode::kTimeout : error.code,
                 cat("Get ", minik::quoted(at), ": ",
                     late ? "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
                          : error.message));
  };
  auto headers = ProbeHeaders::of(probe);
  if (!headers) return failed(text_of(url), headers.error());
  for (size_t redirects = 0;; ++redirects) {
    auto got = exchange(url, *headers, deadline, dial);
    if (!got) return failed(text_of(url), got.error());
    if (got->location.empty()) return std::move(got->answer);
    const auto next = runtime::resolve_url(url, got->location);
    // Where another host would have to be asked, that there is an answer is enough.
    if (!next || next->host != named) return std::move(got->answer);
    if (redirects + 1 >= kRedirectsMax)
      return Error(ErrorCode::kServiceUnavailable,
                   cat("Get ", minik::quoted(got->location), ": stopped after 10 redirects"));
    if (got->location.find("//") != std::string::npos) headers->forget_host();
    url = *next;
  }
}

}  // namespace minik
