// ServiceAccount tokens: JSON Web Tokens (RFC 7519) signed with ES256, in the shape that Kubernetes
// gives them (private claim "kubernetes.io"). Signing and verifying are pure but for the
// signature's own randomness, take about 50 µs, and may run on any thread.
//
// verify() proves signature, issuer and times. Whether the bound pod, node and account still exist,
// and whether an audience suits, is the API server's to decide: it gets the claims. A token that ends
// with its Secret has neither times nor audiences, and the issuer kubernetes/serviceaccount.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"

struct evp_pkey_st;

namespace minik {

struct TokenObject {
  std::string name;
  std::string uid;
  bool operator==(const TokenObject&) const = default;
};

// By its own time, or with the Secret that keeps it: a token of the old kind, with claims of its own.
enum class TokenEnd : uint8_t { kAtTime, kWithSecret };

struct TokenClaims {
  TokenEnd end = TokenEnd::kAtTime;
  std::vector<std::string> audiences;
  WallTime issued_at;
  WallTime not_before;
  WallTime expires_at;
  std::string id;  // jti, a UUID
  std::string namespace_;
  TokenObject service_account;
  TokenObject pod;   // empty name: not bound to one
  TokenObject node;  // likewise
  TokenObject secret;

  // "system:serviceaccount:<namespace>:<name>"
  std::string subject() const;
};

class TokenSigner {
 public:
  // Issuer as in --service-account-issuer: "https://kubernetes.default.svc.cluster.local".
  static Result<TokenSigner> create(const std::string& private_key_pem, std::string issuer);
  ~TokenSigner();
  TokenSigner(TokenSigner&&) noexcept;
  TokenSigner& operator=(TokenSigner&&) noexcept;

  const std::string& issuer() const { return issuer_; }
  Result<std::string> sign(const TokenClaims& claims) const;
  // kUnauthorized, with the reason, for everything that is not a valid token of this cluster.
  Result<TokenClaims> verify(std::string_view token, WallTime now) const;
  // The public key as a JSON Web Key Set, for /openid/v1/jwks.
  std::string jwks() const;

 private:
  TokenSigner(std::shared_ptr<evp_pkey_st> key, std::string issuer);
  std::shared_ptr<evp_pkey_st> key_;
  std::string issuer_;
  std::string key_id_;
};

}  // namespace minik
