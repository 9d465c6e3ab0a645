// Who makes an admission policy with parameters, or binds one to them, must be allowed to read them: through a policy's
// answers a reader learns what they say. In Kubernetes' words, at the field that names them. Changes nothing.
#pragma once

#include "control/access/authorizer.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

// `old` is absent for a new object; what is unchanged since was allowed to whoever wrote it.
Status check_param_rights(const Store& store, const Schema& schema, const Authorizer& access, const UserInfo& user,
                          const ResourceInfo& resource, const Value& object, const Value& old);

}  // namespace minik::control
