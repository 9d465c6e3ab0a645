// What another API server says of itself, as discovery and OpenAPI of this one: whatever it is, both stay documents.
#include <cstdint>
#include <string_view>

#include "control/api/remote_discovery.h"
#include "control/base/check.h"
#include "control/object/json.h"
#include "minik/net/openapi_protobuf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik::control;
  const auto document = parse_json({reinterpret_cast<const char*>(data), size});
  if (!document || !document->is_map()) return 0;
  RemoteApi api;
  api.name = "v1.fish.org";
  api.group = "fish.org";
  api.version = "v1";
  api.resources = api.openapi_v2 = *document;
  const RemoteApis apis{api};
  const Value none = Value::empty_map();
  const Value discovery = with_remote_discovery(none, apis);
  CHECK(parse_json(to_json(discovery)).ok()) << to_json(discovery);
  for (const Value& group : discovery["items"].items()) {
    for (const Value& resource : group["versions"].items()[0]["resources"].items()) {
      CHECK(resource["resource"].is_string() && resource["verbs"].is_array()) << to_json(resource);
    }
  }
  CHECK(parse_json(to_json(with_remote_groups(none, apis))).ok());
  CHECK(remote_openapi_v3(api).is_absent() || parse_json(to_json(remote_openapi_v3(api))).ok());
  (void)minik::openapi_v2_protobuf(with_remote_openapi_v2(none, apis));
  return 0;
}
