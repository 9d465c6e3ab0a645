// Secrets of type kubernetes.io/service-account-token: each is given a token of the account that its annotation
// kubernetes.io/service-account.name names, the account's namespace and the cluster's CA, and goes with the account.
//
//   Secret, Account there    --> data.token, namespace, ca.crt; annotation kubernetes.io/service-account.uid
//   Account gone or another  --> the Secret is deleted, once the server has confirmed it
//
// Such a token has no end of its own: it is good as long as the Secret holds it (ApiServer::check_bound). The
// cryptography is behind SecretTokenSigner. As Kubernetes' serviceaccount-token-controller; what an account lists of its
// Secrets (secrets[]) is left to whoever has written it.
#pragma once

#include <functional>
#include <string>

#include "control/client/controller.h"

namespace minik::control {

struct SecretTokenOrder {
  std::string namespace_, account, account_uid, secret;
};
using SecretTokenSigner = std::function<Result<std::string>(const SecretTokenOrder&)>;

ControllerSpec service_account_token_controller(SecretTokenSigner sign, std::string ca_pem);

}  // namespace minik::control
