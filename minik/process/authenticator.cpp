#include "minik/process/authenticator.h"

#include "control/base/text.h"

namespace minik {
namespace {

void add_extra(control::UserInfo& user, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  user.extra.emplace_back(cat("authentication.kubernetes.io/", name), std::vector<std::string>{value});
}

control::BoundObject bound(const TokenObject& object) { return {object.name, object.uid}; }

}  // namespace

control::TokenIdentity identity_of(const TokenClaims& claims) {
  control::TokenIdentity identity;
  control::UserInfo& user = identity.user;
  user.name = claims.subject();
  user.uid = claims.service_account.uid;
  user.groups = {"system:serviceaccounts", cat("system:serviceaccounts:", claims.namespace_), "system:authenticated"};
  add_extra(user, "credential-id", claims.id.empty() ? std::string() : cat("JTI=", claims.id));
  add_extra(user, "node-name", claims.node.name);
  add_extra(user, "node-uid", claims.node.uid);
  add_extra(user, "pod-name", claims.pod.name);
  add_extra(user, "pod-uid", claims.pod.uid);
  identity.audiences = claims.audiences;
  identity.bond = control::TokenBond{claims.namespace_, bound(claims.service_account), bound(claims.pod),
                                     bound(claims.secret), bound(claims.node)};
  return identity;
}

control::TokenVerifier token_verifier(std::shared_ptr<const TokenSigner> signer, StaticTokens tokens, const Executor& clock) {
  return [signer = std::move(signer), tokens = std::move(tokens), &clock](std::string_view token) -> Result<control::TokenIdentity> {
    if (const auto known = tokens.find(token); known != tokens.end()) return control::TokenIdentity{known->second, {}, {}};
    MINIK_ASSIGN(const TokenClaims claims, signer->verify(token, clock.wall_now()));
    control::TokenIdentity identity = identity_of(claims);
    if (claims.end == TokenEnd::kWithSecret) identity.bond->kept = token;
    return identity;
  };
}

}  // namespace minik
