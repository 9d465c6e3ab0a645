// The admission plugin PodSecurity: holds pods to the standard that their namespace's labels demand
// (pod-security.kubernetes.io/enforce, audit, warn, each with a -version). What breaks `enforce` is refused; `warn`
// tells who asks, for pods and for what makes pods; `audit` tells the audit log. A namespace whose standard gets
// stricter warns of the pods that it already has and that would be refused now. Without labels nothing is asked.
//
// Questions to the store; control thread only.
#pragma once

#include <string>
#include <vector>

#include "control/client/request.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

// `old` is absent for a new object. Adds to `warnings` what it does not refuse.
Status check_pod_security(const Store& store, const ResourceInfo& resource, const ApiRequest& request,
                          const Value& object, const Value& old, std::vector<std::string>& warnings);

}  // namespace minik::control
