#include "minik/process/authenticator.h"

#include <algorithm>

#include "control/base/text.h"

namespace minik {
namespace {

void add_extra(control::UserInfo& user, std::string_view name, const std::string& value) {
  if (value.empty()) return;
  user.extra.emplace_back(cat("authentication.kubernetes.io/", name),
                          std::vector<std::string>{value});
}

}  // namespace

control::UserInfo user_of(const TokenClaims& claims) {
  control::UserInfo user;
  user.name = claims.subject();
  user.uid = claims.service_account.uid;
  user.groups = {"system:serviceaccounts", cat("system:serviceaccounts:", claims.namespace_),
                 "system:authenticated"};
  add_extra(user, "credential-id", claims.id.empty() ? std::string() : cat("JTI=", claims.id));
  add_extra(user, "node-name", claims.node.name);
  add_extra(user, "node-uid", claims.node.uid);
  add_extra(user, "pod-name", claims.pod.name);
  add_extra(user, "pod-uid", claims.pod.uid);
  return user;
}

std::function<Result<control::UserInfo>(std::string_view token)> bearer_authenticator(
    std::shared_ptr<const TokenSigner> signer, const Executor& clock) {
  return [signer = std::move(signer), &clock](std::string_view token) -> Result<control::UserInfo> {
    MINIK_ASSIGN(const TokenClaims claims, signer->verify(token, clock.wall_now()));
    if (std::find(claims.audiences.begin(), claims.audiences.end(), signer->issuer()) ==
        claims.audiences.end()) {
      return Error(ErrorCode::kUnauthorized, "the token is for another audience");
    }
    return user_of(claims);
  };
}

}  // namespace minik
