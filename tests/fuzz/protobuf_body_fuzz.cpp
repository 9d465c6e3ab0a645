// Objects in protobuf form. What is read as an object must survive being written as JSON and read
// again.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "control/object/json.h"
#include "minik/net/protobuf_body.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto value = minik::decode_protobuf({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  CHECK(value->is_map());
  const auto again = minik::control::parse_json(minik::control::to_json(*value));
  CHECK(again) << again.error().message;
  return 0;
}
