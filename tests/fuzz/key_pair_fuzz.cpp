// Certificates and keys of TLS Secrets: the bytes as PEM on both sides, and as what stands inside it.
#include "minik/process/key_pair_check.h"

#include <cstdint>

#include "control/base/text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace minik;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  (void)key_pair_problem(bytes, bytes);
  const std::string inside = to_base64(bytes);
  (void)key_pair_problem(cat("-----BEGIN CERTIFICATE-----\n", inside, "\n-----END CERTIFICATE-----\n"),
                         cat("-----BEGIN PRIVATE KEY-----\n", inside, "\n-----END PRIVATE KEY-----\n"));
  return 0;
}
