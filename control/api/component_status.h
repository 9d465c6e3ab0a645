// ComponentStatuses: how the parts of the control plane are, a kind that Kubernetes deprecates and old tools still ask
// for. All of them are the process that answers, so they are well when somebody hears the answer; nothing is stored.
#pragma once

#include <vector>

#include "control/client/request.h"
#include "control/object/selector.h"

namespace minik::control {

// A get or a list; every other verb is MethodNotAllowed.
Result<ApiResponse> component_status(const ApiRequest& request);

}  // namespace minik::control
