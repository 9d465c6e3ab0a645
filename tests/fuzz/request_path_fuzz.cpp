// Paths that anyone may send, before anything is known of the sender: each asks for a resource or for a path.
#include <cstdint>
#include <string_view>

#include "control/access/request_path.h"
#include "control/base/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view path(reinterpret_cast<const char*>(data), size);
  for (const std::string_view method : {"GET", "POST", "DELETE"}) {
    const auto asked = minik::control::attributes_of_path(method, path);
    CHECK(asked.resource.empty() == (asked.path == path)) << asked.resource;
    CHECK(!asked.verb.empty());
  }
  return 0;
}
