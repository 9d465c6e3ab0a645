// A system call filter of the user's own under any bytes: what is accepted comes through the file between engine and shim
// as it was, and an error has words.
#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "runtime/container/seccomp_profile.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto profile = minik::runtime::parse_seccomp_profile(bytes);
  if (!profile) {
    CHECK(!profile.error().message.empty());
    return 0;
  }
  const std::string encoded = minik::runtime::encode_seccomp_profile(*profile);
  const auto again = minik::runtime::decode_seccomp_profile(encoded);
  CHECK(again && minik::runtime::encode_seccomp_profile(*again) == encoded);
  return 0;
}
