// Rbac: who may do what, by the Roles, ClusterRoles and bindings that are stored. The RBAC authorizer of
// Kubernetes: rules only allow, nothing denies; ClusterRoleBindings hold everywhere, RoleBindings in their
// namespace. Members of system:masters may do everything, whatever is stored.
//
// Reads the store at each question and keeps nothing, so that a binding holds as soon as it is written; a
// question costs one look at each binding of the namespace and of the cluster. Components of the cluster are
// system:masters and never come here. Control thread only.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/client/request.h"
#include "control/store/store.h"

namespace minik::control {

// What is asked for: a resource, or a path that is none.
struct Attributes {
  std::string_view verb;
  std::string_view group, resource, subresource, namespace_, name;
  std::string_view path;  // of what is no resource; empty for resources
};

bool is_master(const UserInfo& user);

class Rbac {
 public:
  explicit Rbac(const Store& store) : store_(store) {}

  // Why it is allowed, as a SubjectAccessReview says it; none: it is not.
  std::optional<std::string> allows(const UserInfo& user, const Attributes& wanted) const;

  // Every rule that holds for this user in the namespace ("": those of the cluster alone).
  std::vector<Value> rules_of(const UserInfo& user, std::string_view namespace_) const;

  // The rules of these that the user does not hold as a whole: nobody may give what he has not.
  std::vector<Value> missing(const UserInfo& user, std::string_view namespace_, const Value& rules) const;

  // The rules of the role that a binding names; absent when there is no such role.
  const Value& rules_of_role(const Value& role_ref, std::string_view namespace_) const;

 private:
  // Visits rules with the sentence of where they come from until `visit` answers true.
  using Visit = std::function<bool(const Value& rule, const Value& binding, bool cluster, const Value& subject)>;
  void visit_rules(const UserInfo& user, std::string_view namespace_, const Visit& visit) const;

  const Store& store_;
};

// The ClusterRoles and ClusterRoleBindings that every cluster has: administrators, what the roles admin, edit and
// view are made of, and what everybody may read.
std::vector<Value> bootstrap_cluster_roles();
std::vector<Value> bootstrap_cluster_role_bindings();

}  // namespace minik::control
