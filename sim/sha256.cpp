#include "sim/sha256.h"

#include <openssl/evp.h>

#include "control/base/text.h"

namespace minik::sim {

std::string sha256_of(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return to_hex({reinterpret_cast<const char*>(digest), size});
}

}  // namespace minik::sim
