// What a bearer token says of who sends it: a user, for whom it is meant, and which objects it lives and dies with.
// The edge proves signature and times on its own thread; whether the objects are still there is the API server's
// question (ApiServer::check_bound), because it has the store.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/result.h"
#include "control/client/request.h"

namespace minik::control {

struct BoundObject {
  std::string name, uid;  // no name: the token is bound to no such object
};

// A ServiceAccount token's objects; pod, secret and node are in its namespace.
struct TokenBond {
  std::string namespace_;
  BoundObject account, pod, secret, node;
  std::string kept = {};  // the token itself where it is good as long as its secret keeps it; empty: it ends by itself
};

struct TokenIdentity {
  UserInfo user;
  std::vector<std::string> audiences;  // empty: whoever takes tokens of this cluster
  std::optional<TokenBond> bond;       // none for tokens of a file
};

// Of a token as it came, with whatever audience it has; kUnauthorized for what is no valid token.
using TokenVerifier = std::function<Result<TokenIdentity>(std::string_view token)>;

}  // namespace minik::control
