#include "minik/net/stream_upgrade.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/value.h"

namespace minik {

bool wants_spdy(const HttpRequest& request) {
  return request.header_has_token("connection", "upgrade") &&
         request.header_has_token("upgrade", "SPDY/3.1");
}

Result<SpdyAccept> accept_spdy(const HttpRequest& request,
                               const std::vector<std::string>& protocols) {
  if (!wants_spdy(request)) {
    return Error(
        ErrorCode::kBadRequest,
        "Upgrade request required: this subresource is a stream, over WebSocket or SPDY/3.1");
  }
  SpdyAccept accept;
  accept.head.status = 101;
  accept.head.headers = {{"upgrade", "SPDY/3.1"}, {"connection", "Upgrade"}};
  const auto offered = request.header_list("x-stream-protocol-version");
  if (offered.empty()) {
    // Before versions were negotiated there was one.
    accept.protocol = protocols.back();
    return accept;
  }
  for (const std::string_view offer : offered) {
    if (std::find(protocols.begin(), protocols.end(), offer) == protocols.end()) continue;
    accept.protocol = offer;
    accept.head.headers.push_back({"x-stream-protocol-version", accept.protocol});
    return accept;
  }
  return Error(ErrorCode::kForbidden,
               cat("none of the client's stream protocols is supported; choose one of ",
                   join(protocols, ", ")));
}

HttpResponse upgrade_refusal(const Error& error) {
  using control::Value;
  const int code = error.http_status();
  const Value status = Value::map({{"kind", "Status"},
                                   {"apiVersion", "v1"},
                                   {"metadata", Value::empty_map()},
                                   {"status", "Failure"},
                                   {"message", error.message},
                                   {"reason", code_reason(error.code)},
                                   {"code", code}});
  return {code, {{"content-type", "application/json"}}, control::to_json(status)};
}

}  // namespace minik
