// Who a ServiceAccount token speaks for: the user and groups that Kubernetes gives to its claims.
//
// Proves what the token alone can prove (signature, issuer, times, audience); that the account, pod
// and node still exist is not looked up, so a token of a deleted account works until it expires.
// Thread-safe: it is asked on I/O threads.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "control/base/executor.h"
#include "control/client/request.h"
#include "minik/process/service_account_token.h"

namespace minik {

control::UserInfo user_of(const TokenClaims& claims);

// For authenticate_with() of minik/net/api_front.h. Tokens must name the issuer among their
// audiences. `clock` is asked for wall time alone.
std::function<Result<control::UserInfo>(std::string_view token)> bearer_authenticator(
    std::shared_ptr<const TokenSigner> signer, const Executor& clock);

}  // namespace minik
