// Bearer tokens that anyone may send. None of them is signed, so none may be accepted.
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <cstdint>
#include <string_view>

#include "control/base/check.h"
#include "minik/process/service_account_token.h"

namespace {

minik::TokenSigner make_signer() {
  EVP_PKEY* key = EVP_EC_gen("P-256");
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  const std::string pem(text, static_cast<size_t>(size));
  BIO_free(bio);
  EVP_PKEY_free(key);
  return *minik::TokenSigner::create(pem, "https://kubernetes.default.svc");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const minik::TokenSigner signer = make_signer();
  const std::string_view token(reinterpret_cast<const char*>(data), size);
  CHECK(!signer.verify(token, minik::WallTime{1'700'000'000'000'000'000}));
  return 0;
}
