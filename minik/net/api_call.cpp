#include "minik/net/api_call.h"

#include <utility>

#include "control/object/json.h"
#include "minik/net/protobuf_body.h"
#include "minik/net/proxy_path.h"

namespace minik {

Result<control::HttpCall> to_api_call(HttpRequest& request) {
  control::HttpCall call;
  call.method = request.method;
  call.path = request.path;
  call.query = request.query;
  for (const char* name : {"accept", "content-type", "user-agent", "if-none-match"}) {
    if (const auto value = request.header(name); !value.empty()) call.headers.emplace(name, value);
  }
  // What goes on to a pod is nobody's to read here.
  if (!split_proxy_path(request.path).rest.empty()) return call;
  call.body = std::move(request.body);
  // One conversion here keeps every reader of bodies free of a second format.
  if (is_protobuf(request.header("content-type")) && !call.body.empty()) {
    MINIK_ASSIGN(const auto document, decode_protobuf(call.body));
    call.body = control::to_json(document);
    call.headers["content-type"] = "application/json";
  }
  return call;
}

}  // namespace minik
