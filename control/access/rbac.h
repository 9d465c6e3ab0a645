// Rbac: who may do what, by the Roles, ClusterRoles and bindings that are stored. The RBAC authorizer of
// Kubernetes: rules only allow, nothing denies; ClusterRoleBindings hold everywhere, RoleBindings in their
// namespace.
//
// Reads the store at each question and keeps nothing, so that a binding holds as soon as it is written; a
// question costs one look at each binding of the namespace and of the cluster. Components of the cluster are
// system:masters and never come here. Control thread only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "control/access/attributes.h"
#include "control/client/request.h"
#include "control/store/store.h"

namespace minik::control {

// system:masters, who may do everything whatever is stored.
bool is_master(const UserInfo& user);

// Whether one rule of a role allows it.
bool rule_allows(const Value& rule, const Attributes& wanted);

class Rbac {
 public:
  explicit Rbac(const Store& store) : store_(store) {}

  // With the reason as a SubjectAccessReview says it: the binding that allows it, or the roles that a binding names
  // and that are not there.
  Decision decide(const UserInfo& user, const Attributes& wanted) const;

  // Every rule that holds for this user in the namespace ("": those of the cluster alone).
  std::vector<Value> rules_of(const UserInfo& user, std::string_view namespace_) const;

  // The rules of these that the user does not hold as a whole: nobody may give what he has not.
  std::vector<Value> missing(const UserInfo& user, std::string_view namespace_, const Value& rules) const;

  // The role that a binding names; absent when there is none.
  const Value& role_of(const Value& role_ref, std::string_view namespace_) const;

 private:
  // Visits rules with where they come from until `visit` answers true. A role that is not there is an absent rule.
  using Visit = std::function<bool(const Value& rule, const Value& binding, bool cluster, const Value& subject)>;
  void visit_rules(const UserInfo& user, std::string_view namespace_, const Visit& visit) const;

  const Store& store_;
};

}  // namespace minik::control
