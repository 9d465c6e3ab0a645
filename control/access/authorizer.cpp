#include "control/access/authorizer.h"

#include "control/base/text.h"

namespace minik::control {

Decision Authorizer::decide(const UserInfo& user, const Attributes& wanted) const {
  if (is_master(user)) return {true, ""};
  Decision node = node_.decide(user, wanted);
  if (node.allowed) return node;
  Decision role = rbac_.decide(user, wanted);
  if (role.allowed || node.reason.empty()) return role;
  // Each says why it has not allowed it.
  return {false, role.reason.empty() ? node.reason : cat(node.reason, ", ", role.reason)};
}

}  // namespace minik::control
