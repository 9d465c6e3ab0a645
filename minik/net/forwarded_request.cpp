#include "minik/net/forwarded_request.h"

#include <algorithm>

#include "control/base/text.h"

namespace minik {

namespace {

// What the next hop must not see as it came: this connection's own, and who it claims to come from.
bool is_replaced(std::string_view name) {
  constexpr std::string_view kNames[] = {"connection",
                                         "keep-alive",
                                         "proxy-connection",
                                         "te",
                                         "trailer",
                                         "transfer-encoding",
                                         "upgrade",
                                         "content-length",
                                         "x-forwarded-host",
                                         "x-forwarded-proto",
                                         "x-forwarded-for",
                                         "x-real-ip",
                                         "expect",
                                         "forwarded",
                                         "proxy-authorization"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

bool is_credential(std::string_view name) {
  return name == "authorization" || name.starts_with("impersonate-") || name.starts_with("x-remote-");
}

bool has_body(const HttpRequest& request) {
  return !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
}

}  // namespace

std::string forwarded_request(const HttpRequest& request, const ForwardedRequest& how) {
  std::string bytes =
      cat(request.method, " ", how.path, request.query.empty() ? "" : "?", request.query, " HTTP/1.1\r\n");
  const auto add = [&bytes](std::string_view name, std::string_view value) {
    bytes += cat(name, ": ", value, "\r\n");
  };
  for (const auto& header : request.headers) {
    const bool withheld = how.credentials == Credentials::kWithheld && is_credential(header.name);
    const bool replaced = is_replaced(header.name) || (header.name == "host" && !how.host.empty()) || header.name == how.omitted;
    if (!replaced && !withheld) add(header.name, header.value);
  }
  if (!how.host.empty()) add("host", how.host);
  for (const auto& header : how.added) add(header.name, header.value);
  const auto client = request.remote_address.substr(0, request.remote_address.rfind(':'));
  add("x-forwarded-for", client);
  add("x-real-ip", client);
  add("x-forwarded-host", request.header("host"));
  add("x-forwarded-proto", how.scheme);
  const auto protocol = request.header("upgrade");
  if (request.header_has_token("connection", "upgrade") && !protocol.empty()) {
    add("connection", "Upgrade");
    add("upgrade", protocol);
  } else {
    add("connection", "close");
  }
  if (!request.streamed_body) {
    if (has_body(request)) add("content-length", cat(request.body.size()));
  } else if (const auto length = request.header("content-length"); !length.empty()) {
    add("content-length", length);
  } else {
    add("transfer-encoding", "chunked");
  }
  bytes += "\r\n";
  bytes += request.body;
  return bytes;
}

bool is_repeatable(const HttpRequest& request) {
  return request.body.empty() && !request.streamed_body &&
         (request.method == "GET" || request.method == "HEAD" || request.method == "OPTIONS");
}

}  // namespace minik
