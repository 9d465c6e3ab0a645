#include "minik/process/service_account_token.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/object/value.h"

namespace minik {
namespace {

using control::Value;

constexpr size_t kCoordinateBytes = 32;  // P-256

std::string base64url(std::string_view bytes) {
  std::string text = to_base64(bytes);
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  text.erase(std::find(text.begin(), text.end(), '='), text.end());
  return text;
}

std::optional<std::string> from_base64url(std::string_view encoded) {
  std::string text(encoded);
  for (char& c : text) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    c = c == '-' ? '+' : c == '_' ? '/' : c;
  }
  while (text.size() % 4 != 0) text += '=';
  return from_base64(text);
}

// JWS wants r and s side by side (RFC 7518 section 3.4), OpenSSL speaks DER.
std::optional<std::string> raw_signature(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  if (signature == nullptr) return std::nullopt;
  std::string raw(2 * kCoordinateBytes, '\0');
  auto* out = reinterpret_cast<unsigned char*>(raw.data());
  const bool fits =
      BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, kCoordinateBytes) >= 0 &&
      BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + kCoordinateBytes, kCoordinateBytes) >= 0;
  ECDSA_SIG_free(signature);
  if (!fits) return std::nullopt;
  return raw;
}

std::optional<std::string> der_signature(std::string_view raw) {
  if (raw.size() != 2 * kCoordinateBytes) return std::nullopt;
  const auto* bytes = reinterpret_cast<const unsigned char*>(raw.data());
  ECDSA_SIG* signature = ECDSA_SIG_new();
  ECDSA_SIG_set0(signature, BN_bin2bn(bytes, kCoordinateBytes, nullptr),
                 BN_bin2bn(bytes + kCoordinateBytes, kCoordinateBytes, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature, &der);
  std::string text(reinterpret_cast<char*>(der), static_cast<size_t>(std::max(size, 0)));
  OPENSSL_free(der);
  ECDSA_SIG_free(signature);
  return text;
}

std::string public_der(EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  std::string text(reinterpret_cast<char*>(der), static_cast<size_t>(std::max(size, 0)));
  OPENSSL_free(der);
  return text;
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  return {reinterpret_cast<char*>(digest), size};
}

std::string coordinate(EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  std::string bytes(kCoordinateBytes, '\0');
  if (number != nullptr) {
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), kCoordinateBytes);
  }
  BN_free(number);
  return bytes;
}

Value seconds_of(WallTime time) {
  return Value(time.ns / 1'000'000'000);
}

WallTime time_of(const Value& value) {
  // Numbers from outside: far beyond any calendar they would overflow.
  const int64_t second = value.is_int() ? value.as_int() : static_cast<int64_t>(value.as_double());
  return {std::clamp<int64_t>(second, 0, 9'000'000'000) * 1'000'000'000};
}

Value object_claim(const TokenObject& object) {
  if (object.name.empty()) return {};
  return Value::map({{"name", object.name}, {"uid", object.uid}});
}

TokenObject object_of(const Value& claim) {
  return {claim.get("name").string(), claim.get("uid").string()};
}

constexpr std::string_view kSecretIssuer = "kubernetes/serviceaccount";
const control::Key kNamespaceClaim("kubernetes.io/serviceaccount/namespace"), kSecretClaim("kubernetes.io/serviceaccount/secret.name"),
    kAccountClaim("kubernetes.io/serviceaccount/service-account.name"),
    kAccountUidClaim("kubernetes.io/serviceaccount/service-account.uid");

Value secret_claims(const TokenClaims& claims) {
  return Value::map({{"iss", kSecretIssuer},
                     {kNamespaceClaim, claims.namespace_},
                     {kSecretClaim, claims.secret.name},
                     {kAccountClaim, claims.service_account.name},
                     {kAccountUidClaim, claims.service_account.uid},
                     {"sub", claims.subject()}});
}

TokenClaims claims_of_secret(const Value& body) {
  TokenClaims claims;
  claims.end = TokenEnd::kWithSecret;
  claims.namespace_ = body[kNamespaceClaim].string();
  claims.secret.name = body[kSecretClaim].string();
  claims.service_account = {body[kAccountClaim].string(), body[kAccountUidClaim].string()};
  return claims;
}

Error invalid_token(std::string_view why) {
  return Error(ErrorCode::kUnauthorized, cat("the token is not valid: ", why));
}

}  // namespace

std::string TokenClaims::subject() const {
  return cat("system:serviceaccount:", namespace_, ":", service_account.name);
}

TokenSigner::TokenSigner(std::shared_ptr<evp_pkey_st> key, std::string issuer)
    : key_(std::move(key)),
      issuer_(std::move(issuer)),
      key_id_(base64url(sha256(public_der(key_.get())))) {}

TokenSigner::~TokenSigner() = default;
TokenSigner::TokenSigner(TokenSigner&&) noexcept = default;
TokenSigner& TokenSigner::operator=(TokenSigner&&) noexcept = default;

Result<TokenSigner> TokenSigner::create(const std::string& private_key_pem, std::string issuer) {
  BIO* bio = BIO_new_mem_buf(private_key_pem.data(), static_cast<int>(private_key_pem.size()));
  char none[] = "";
  const std::shared_ptr<EVP_PKEY> key(PEM_read_bio_PrivateKey(bio, nullptr, nullptr, none),
                                      EVP_PKEY_free);
  BIO_free(bio);
  ERR_clear_error();
  if (!key || EVP_PKEY_is_a(key.get(), "EC") != 1 || EVP_PKEY_get_bits(key.get()) != 256) {
    return Error(ErrorCode::kInvalid,
                 "the key of ServiceAccount tokens is not an EC key on the curve P-256");
  }
  return TokenSigner(key, std::move(issuer));
}

Result<std::string> TokenSigner::sign(const TokenClaims& claims) const {
  std::vector<Value> audiences(claims.audiences.begin(), claims.audiences.end());
  const Value header = Value::map({{"alg", "ES256"}, {"kid", key_id_}, {"typ", "JWT"}});
  const Value body = claims.end == TokenEnd::kWithSecret ? secret_claims(claims) : Value::map(
      {{"iss", issuer_},
       {"sub", claims.subject()},
       {"aud", Value::array(std::move(audiences))},
       {"iat", seconds_of(claims.issued_at)},
       {"nbf", seconds_of(claims.not_before)},
       {"exp", seconds_of(claims.expires_at)},
       {"jti", claims.id},
       {"kubernetes.io", Value::map({{"namespace", claims.namespace_},
                                     {"serviceaccount", object_claim(claims.service_account)},
                                     {"pod", object_claim(claims.pod)},
                                     {"node", object_claim(claims.node)},
                                     {"secret", object_claim(claims.secret)}})}});
  std::string token =
      cat(base64url(control::to_json(header)), ".", base64url(control::to_json(body)));

  unsigned char der[128];
  size_t size = sizeof der;
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool made =
      EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
      EVP_DigestSign(context, der, &size, reinterpret_cast<const unsigned char*>(token.data()),
                     token.size()) == 1;
  EVP_MD_CTX_free(context);
  const auto raw =
      made ? raw_signature({reinterpret_cast<char*>(der), size}) : std::optional<std::string>();
  if (!raw) return Error(ErrorCode::kInternalError, "signing a token failed");
  return cat(token, ".", base64url(*raw));
}

Result<TokenClaims> TokenSigner::verify(std::string_view token, WallTime now) const {
  const auto parts = split(token, '.');
  if (parts.size() != 3) return invalid_token("it does not have three parts");
  const auto header_text = from_base64url(parts[0]);
  const auto body_text = from_base64url(parts[1]);
  const auto raw = from_base64url(parts[2]);
  if (!header_text || !body_text || !raw) return invalid_token("it is not base64url");
  const auto header = control::parse_json(*header_text);
  // Only our own algorithm, whatever the token proposes.
  if (!header || header->get("alg").as_string() != "ES256") {
    return invalid_token("it is not signed with ES256");
  }
  const auto der = der_signature(*raw);
  const std::string_view signed_text = token.substr(0, parts[0].size() + 1 + parts[1].size());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool genuine =
      der && EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key_.get()) == 1 &&
      EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(der->data()), der->size(),
                       reinterpret_cast<const unsigned char*>(signed_text.data()),
                       signed_text.size()) == 1;
  EVP_MD_CTX_free(context);
  ERR_clear_error();
  if (!genuine) return invalid_token("its signature is not this cluster's");

  const auto body = control::parse_json(*body_text);
  if (!body) return invalid_token("its claims are not JSON");
  const auto issuer = body->get("iss").as_string();
  TokenClaims claims;
  if (issuer == kSecretIssuer) {
    claims = claims_of_secret(*body);
    if (claims.secret.name.empty() || claims.service_account.uid.empty()) return invalid_token("it names no secret or account");
    if (claims.subject() == body->get("sub").as_string()) return claims;
    return invalid_token("its subject is not its ServiceAccount");
  }
  if (issuer != issuer_) return invalid_token("it has another issuer");
  claims.issued_at = time_of(body->get("iat"));
  claims.not_before = time_of(body->get("nbf"));
  claims.expires_at = time_of(body->get("exp"));
  if (now >= claims.expires_at) return invalid_token("it has expired");
  if (now < claims.not_before) return invalid_token("it is not valid yet");
  claims.id = body->get("jti").string();
  for (const Value& audience : body->get("aud").items()) {
    claims.audiences.push_back(audience.string());
  }
  const Value& kubernetes = body->get("kubernetes.io");
  claims.namespace_ = kubernetes.get("namespace").string();
  claims.service_account = object_of(kubernetes.get("serviceaccount"));
  claims.pod = object_of(kubernetes.get("pod"));
  claims.node = object_of(kubernetes.get("node"));
  claims.secret = object_of(kubernetes.get("secret"));
  if (claims.subject() != body->get("sub").as_string()) {
    return invalid_token("its subject is not its ServiceAccount");
  }
  return claims;
}

std::string TokenSigner::jwks() const {
  const Value key =
      Value::map({{"use", "sig"},
                  {"kty", "EC"},
                  {"kid", key_id_},
                  {"crv", "P-256"},
                  {"alg", "ES256"},
                  {"x", base64url(coordinate(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X))},
                  {"y", base64url(coordinate(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y))}});
  return control::to_json(Value::map({{"keys", Value::array({key})}}));
}

}  // namespace minik
