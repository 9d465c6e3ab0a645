// Authorizer: whether somebody may do something. Asks in Kubernetes' order: members of system:masters may do
// everything, agents of nodes what the node authorizer says, and all what roles are bound to them. One yes is enough;
// what nobody allows is forbidden. Control thread only; keeps nothing but references.
#pragma once

#include "control/access/node_authorizer.h"
#include "control/access/rbac.h"

namespace minik::control {

class Authorizer {
 public:
  explicit Authorizer(const Store& store) : node_(store), rbac_(store) {}

  Decision decide(const UserInfo& user, const Attributes& wanted) const;
  bool allows(const UserInfo& user, const Attributes& wanted) const { return decide(user, wanted).allowed; }
  const Rbac& rbac() const { return rbac_; }

 private:
  NodeAuthorizer node_;
  Rbac rbac_;
};

}  // namespace minik::control
