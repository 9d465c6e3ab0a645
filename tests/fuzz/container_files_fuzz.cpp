// The bytes that container and engine find on disk: log lines that a program wrote, specs that a
// power cut damaged. Whatever is accepted must come back the same.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "runtime/container/log_reader.h"
#include "runtime/container/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto entry = minik::runtime::parse_log_line(bytes);
  CHECK(!entry || entry->text.size() < bytes.size());
  if (const auto spec = minik::runtime::decode_spec(bytes)) {
    const std::string again = minik::runtime::encode_spec(*spec);
    const auto twice = minik::runtime::decode_spec(again);
    CHECK(twice && minik::runtime::encode_spec(*twice) == again);
  }
  return 0;
}
