#include "minik/process/key_pair_check.h"

#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include <memory>
#include <optional>
#include <vector>

#include "control/base/text.h"
#include "control/base/utf8.h"
#include "minik/net/freer.h"

namespace minik {

namespace {

using KeyPtr = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Freer<X509_free>>;
using KeyInfoPtr = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Freer<PKCS8_PRIV_KEY_INFO_free>>;

constexpr size_t kDerBytesMax = 64 * 1024;

struct Block {
  std::string type;
  std::optional<std::string> der;  // none: it has no end, or is no base64
};

// The next block of a PEM text, which is cut off it. Headers of old encrypted keys are read over: such a key cannot be
// read anyway.
std::optional<Block> next_block(std::string_view& pem) {
  constexpr std::string_view kBegin = "-----BEGIN ", kDashes = "-----";
  const size_t begin = pem.find(kBegin);
  if (begin == std::string_view::npos) return std::nullopt;
  pem.remove_prefix(begin + kBegin.size());
  const size_t name_end = pem.find(kDashes);
  if (name_end == std::string_view::npos) return std::nullopt;
  Block block{std::string(pem.substr(0, name_end)), std::nullopt};
  const size_t body = name_end + kDashes.size();
  const size_t end = pem.find(cat("-----END ", block.type, kDashes), body);
  if (end == std::string_view::npos) return block;
  std::string base64;
  for (const auto line : split(pem.substr(body, end - body), '\n')) {
    if (line.find(':') == std::string_view::npos) base64 += trim(line);
  }
  pem.remove_prefix(end);
  block.der = from_base64(base64);
  return block;
}

// The first block of the wanted type; of those that were passed over, the types. The end of each that has none is
// sought through the whole text, so that there are not many of them.
template <typename Wanted>
std::optional<std::string> find_block(std::string_view pem, const Wanted& wanted, std::vector<std::string>& skipped) {
  constexpr int kBlocksMax = 32;
  for (int i = 0; i < kBlocksMax; ++i) {
    auto block = next_block(pem);
    if (!block) break;
    if (!block->der) continue;
    if (wanted(block->type)) return block->der;
    skipped.push_back(block->type);
  }
  return std::nullopt;
}

bool is_key_type(std::string_view type) { return type == "PRIVATE KEY" || type.ends_with(" PRIVATE KEY"); }

std::string none_found(const std::vector<std::string>& skipped, bool certificate) {
  const std::string_view input = certificate ? "certificate" : "key";
  if (skipped.empty()) return cat("tls: failed to find any PEM data in ", input, " input");
  if (skipped.size() == 1 && certificate && is_key_type(skipped[0]))
    return "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched";
  if (skipped.size() == 1 && !certificate && skipped[0] == "CERTIFICATE")
    return "tls: found a certificate rather than a key in the PEM for the private key";
  return cat("tls: failed to find ", certificate ? "\"CERTIFICATE\" PEM block" : "PEM block with type ending in \"PRIVATE KEY\"", " in ", input,
             " input after skipping PEM blocks of the following types: [", as_utf8(join(skipped, " ")), "]");
}

const unsigned char* bytes_of(const std::string& der) { return reinterpret_cast<const unsigned char*>(der.data()); }

// PKCS #1, PKCS #8 or SEC 1, whatever the block calls itself.
KeyPtr read_key(const std::string& der) {
  KeyPtr none;
  if (der.size() > kDerBytesMax) return none;
  const auto length = static_cast<long>(der.size());
  const unsigned char* at = bytes_of(der);
  if (const KeyInfoPtr info{d2i_PKCS8_PRIV_KEY_INFO(nullptr, &at, length)}) {
    const ASN1_OBJECT* algorithm = nullptr;
    PKCS8_pkey_get0(&algorithm, nullptr, nullptr, nullptr, info.get());
    const int kind = OBJ_obj2nid(algorithm);
    // Of others the public half would have to be computed, with numbers of any size.
    if (kind != NID_rsaEncryption && kind != NID_X9_62_id_ecPublicKey && kind != NID_ED25519) return none;
    return KeyPtr(EVP_PKCS82PKEY(info.get()));
  }
  for (const int kind : {EVP_PKEY_RSA, EVP_PKEY_EC}) {
    at = bytes_of(der);
    if (EVP_PKEY* key = d2i_PrivateKey(kind, nullptr, &at, length)) return KeyPtr(key);
  }
  return none;
}

}  // namespace

std::string key_pair_problem(std::string_view certificate_pem, std::string_view key_pem) {
  std::vector<std::string> skipped;
  const auto certificate_block = find_block(certificate_pem, [](std::string_view type) { return type == "CERTIFICATE"; }, skipped);
  if (!certificate_block) return none_found(skipped, true);
  skipped.clear();
  const auto key_block = find_block(key_pem, is_key_type, skipped);
  if (!key_block) return none_found(skipped, false);
  const unsigned char* at = bytes_of(*certificate_block);
  const CertificatePtr certificate(
      certificate_block->size() > kDerBytesMax
          ? nullptr
          : d2i_X509(nullptr, &at, static_cast<long>(certificate_block->size())));
  if (!certificate) return "x509: malformed certificate";
  const KeyPtr key = read_key(*key_block);
  if (!key) return "tls: failed to parse private key";
  EVP_PKEY* public_key = X509_get0_pubkey(certificate.get());
  if (!public_key) return "tls: unknown public key algorithm";
  const int kind = EVP_PKEY_get_base_id(public_key);
  if (kind != EVP_PKEY_RSA && kind != EVP_PKEY_EC && kind != EVP_PKEY_ED25519) return "tls: unknown public key algorithm";
  if (EVP_PKEY_get_base_id(key.get()) != kind) return "tls: private key type does not match public key type";
  return X509_check_private_key(certificate.get(), key.get()) == 1 ? "" : "tls: private key does not match public key";
}

}  // namespace minik
