// Where a clientConfig of an admission webhook or of a conversion leads to: the URL that it names, or a ready endpoint of
// the Service that it names. Reads the store, changes nothing; the error says what Kubernetes says of a Service that
// nobody can reach.
#pragma once

#include "control/admission/webhook_caller.h"
#include "control/store/store.h"

namespace minik::control {

// All of the call but its name and its body.
Result<WebhookCall> webhook_call(const Store& store, const Value& client_config, Duration timeout);

}  // namespace minik::control
