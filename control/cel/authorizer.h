// Kubernetes' `authorizer`: who may do what, asked from within an expression.
//
//   authorizer.group("apps").resource("deployments").namespace("shop").check("create").allowed()
//   authorizer.requestResource.check("approve").allowed(), authorizer.path("/healthz").check("get").reason()
//
// This folder knows nothing of roles: whoever binds the variable hands in the answer as a function, which must stay
// callable as long as the datum lives. Each check costs as much as kube-apiserver charges for one.
#pragma once

#include <functional>
#include <string>

#include "control/cel/datum.h"

namespace minik::control::cel {

struct AccessQuestion {
  std::string verb;
  std::string path;  // of what is no resource; then the rest is empty
  std::string group, resource, subresource, namespace_, name;
  std::string account, account_namespace;  // of a service account that is asked about; empty: who sends the request
};

struct AccessAnswer {
  bool allowed = false;
  std::string reason;
};
using AskAccess = std::function<AccessAnswer(const AccessQuestion&)>;

// `about` is what requestResource means.
Datum authorizer(AskAccess ask, AccessQuestion about);
// authorizer.requestResource
Datum request_resource(const Datum& authorizer);

}  // namespace minik::control::cel
