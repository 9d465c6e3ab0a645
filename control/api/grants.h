// Grants: nobody gives rights that he does not hold himself. A role may be written by whoever holds all that it
// says, or may `escalate`; a binding by whoever holds all that its role says, or may `bind` that role. The
// RBAC escalation checks of Kubernetes. Pure questions to Rbac.
#pragma once

#include "control/access/authorizer.h"
#include "control/schema/schema.h"

namespace minik::control {

// `old` is absent for a new object. Fine for every kind that grants nothing.
Status may_grant(const Authorizer& access, const UserInfo& user, const ResourceInfo& resource, const Value& object,
                 const Value& old);

}  // namespace minik::control
