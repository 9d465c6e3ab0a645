// For whom the agent of a node may have a token made: the audiences that its pod names, those of the drivers of the
// pod's CSI volumes among them, and those that a role gives it with the verb request-serviceaccounts-token-audience
// (resource: the audience; name: the account). kubelets that fetch credentials for images need the latter.
//
// Asked after check_node_restriction, which has seen to the pod; says nothing of anybody but agents.
#pragma once

#include "control/access/authorizer.h"
#include "control/client/request.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

// The request is one for serviceaccounts/token.
Status check_node_audience(const Store& store, const Authorizer& access, const ResourceInfo& resource, const ApiRequest& request);

}  // namespace minik::control
