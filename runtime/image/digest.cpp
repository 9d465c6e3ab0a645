#include "runtime/image/digest.h"

#include <openssl/evp.h>

#include <algorithm>

#include "control/base/check.h"
#include "control/base/text.h"

namespace minik::runtime {
namespace {

constexpr std::string_view kPrefix = "sha256:";

bool is_lower_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

}  // namespace

Result<Digest> Digest::parse(std::string_view text) {
  if (!text.starts_with(kPrefix)) {
    return Error(ErrorCode::kInvalid, cat("digest ", quoted(text.substr(0, 100)),
                                          " is not supported: only sha256:<64 hex digits> is"));
  }
  return from_hex(text.substr(kPrefix.size()));
}

Result<Digest> Digest::from_hex(std::string_view hex) {
  if (hex.size() != 64 || !std::all_of(hex.begin(), hex.end(), is_lower_hex)) {
    return Error(ErrorCode::kInvalid, cat("digest ", quoted(hex.substr(0, 100)),
                                          " is not 64 lowercase hexadecimal digits"));
  }
  return Digest(cat(kPrefix, hex));
}

Digest Digest::of(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  CHECK(state_->context != nullptr);
  CHECK(EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1);
}

Digest Sha256::finish() {
  unsigned char bytes[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  CHECK(EVP_DigestFinal_ex(state_->context, bytes, &size) == 1);
  const std::string_view view(reinterpret_cast<const char*>(bytes), size);
  return *Digest::from_hex(to_hex(view));
}

}  // namespace minik::runtime
