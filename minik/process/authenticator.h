// Who a bearer token speaks for: the user and groups that Kubernetes gives to the claims of a ServiceAccount token, or
// what the file of static tokens says.
//
// Proves what the token alone can prove (signature, issuer, times); that the account, pod and node still exist, and
// whom the token is for, is the API server's to decide. Thread-safe: it is asked on I/O threads and on the control
// thread.
#pragma once

#include <memory>

#include "control/access/token_identity.h"
#include "control/base/executor.h"
#include "minik/process/service_account_token.h"
#include "minik/process/token_file.h"

namespace minik {

control::TokenIdentity identity_of(const TokenClaims& claims);

// `clock` is asked for wall time alone. A token of the file is taken before it is looked at as a signed one.
control::TokenVerifier token_verifier(std::shared_ptr<const TokenSigner> signer, StaticTokens tokens, const Executor& clock);

}  // namespace minik
