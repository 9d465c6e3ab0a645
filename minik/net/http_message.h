// HTTP requests and responses as plain values: what the parser makes and what a handler answers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace minik {

class RequestBody;

struct HttpHeader {
  std::string name;  // lower case in requests
  std::string value;
};

// The client certificate of the connection. A certificate that our CA did not sign makes the
// connection `rejected`, not broken: Kubernetes answers such a request 401.
struct PeerIdentity {
  enum class State { kNone, kVerified, kRejected };
  State state = State::kNone;
  std::string common_name;
  std::vector<std::string> organizations;
  std::string fingerprint;  // SHA-256 of the certificate, in hexadecimal
  std::string reason;  // of a rejection
};

struct HttpRequest {
  std::string method;
  std::string path;   // as it came, percent-encoded, without the query
  std::string query;  // undecoded, without the '?'
  int version = 11;   // 10 or 11
  std::vector<HttpHeader> headers;
  std::string body;
  // In place of `body` where the server's options say so: what comes of it, piece by piece (request_body.h).
  std::shared_ptr<RequestBody> streamed_body = {};
  PeerIdentity peer;
  std::string remote_address;  // "127.0.0.1:41234", "" on a Unix socket

  // The first header of a lower-case name; "" when there is none.
  std::string_view header(std::string_view name) const;
  // Whether a comma-separated header (over all its lines) names a token, without regard to case.
  bool header_has_token(std::string_view name, std::string_view token) const;
  // The items of a comma-separated header, over all its lines.
  std::vector<std::string_view> header_list(std::string_view name) const;
};

struct HttpResponse {
  int status = 200;
  std::vector<HttpHeader> headers;
  std::string body;

  static HttpResponse text(int status, std::string body);
};

// The pieces of a body that is sent in chunks (RFC 9112, 7.1). A chunk has at least one byte.
void append_http_chunk(std::string& out, std::string_view bytes);
constexpr std::string_view kHttpLastChunk = "0\r\n\r\n";

// "Not Found"; "" for a code without a name.
std::string_view http_status_text(int status);

// The parameters of a query, decoded; repeated ones repeated, '+' read as a space.
std::vector<std::pair<std::string, std::string>> query_parameters(std::string_view query);

bool equal_ignoring_case(std::string_view a, std::string_view b);

}  // namespace minik
