// HttpClient: blocking HTTP/1.1 requests for the registry client, over TCP or TLS.
//
// Bodies stream both ways and are never held whole; a connection is kept for the next request to
// the same origin. Redirects are the caller's, since credentials must not follow them. TLS verifies
// the peer against the system's authorities (or the file that the options name) and its host name;
// there is no way to turn that off. No proxies, no HTTP/2, no compression.
//
// One thread; every wait ends with the idle limit or when the cancel flag is set (within 100 ms).
// Fails with kServiceUnavailable for a peer that cannot be reached, kTimeout for one that is
// silent, kForbidden for a certificate that is not trusted. Follows RFC 9112.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "control/base/result.h"
#include "runtime/image/peer_stream.h"

namespace minik::runtime {

struct Url {
  bool tls = false;
  std::string host;  // without the brackets of an IPv6 address
  std::string port;
  std::string target;  // path and query, begins with '/'

  std::string origin() const;  // "https://host:port"
  std::string text() const { return origin() + target; }
};
Result<Url> parse_url(std::string_view text);
// A Location header, which may be relative to the request.
Result<Url> resolve_url(const Url& base, std::string_view location);
// Percent-encoding of one query value.
std::string encode_query(std::string_view value);

struct HttpRequest {
  std::string method = "GET";
  Url url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  // Instead of body: gives the next piece, empty at the end; exactly body_size bytes in all.
  std::function<Result<std::string_view>()> body_source;
  int64_t body_size = 0;
};

struct HttpResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;                            // unless a sink took it

  std::string header(const std::string& name) const;
};

class HttpClient {
 public:
  explicit HttpClient(PeerOptions options);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // The sink takes the body of a 2xx answer, piece by piece; other bodies are kept up to 64 KiB for
  // their message.
  using BodySink = std::function<Status(const HttpResponse& head, std::string_view bytes)>;
  Result<HttpResponse> send(const HttpRequest& request, const BodySink& sink = {});

 private:
  Status send_request(const HttpRequest& request);
  Result<HttpResponse> receive(const HttpRequest& request, const BodySink& sink);

  PeerOptions options_;
  std::shared_ptr<TlsContext> tls_;     // made when first needed
  std::unique_ptr<PeerStream> stream_;  // kept open when the last answer allowed it
  std::string origin_;                  // of stream_
};

}  // namespace minik::runtime
