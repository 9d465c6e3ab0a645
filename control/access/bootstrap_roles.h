// The roles and bindings of a new cluster, under Kubernetes' names: what cluster-admin, admin, edit and view may do,
// what everybody may read, and what nodes, components and controllers may, for those that run outside. An older
// cluster's are completed at each start, as Kubernetes does; what somebody took out comes back, unless the
// annotation rbac.authorization.kubernetes.io/autoupdate says "false".
#pragma once

#include <string_view>
#include <vector>

#include "control/object/value.h"

namespace minik::control {

inline constexpr std::string_view kAutoUpdate = "rbac.authorization.kubernetes.io/autoupdate";

std::vector<Value> bootstrap_cluster_roles();
std::vector<Value> bootstrap_cluster_role_bindings();
// Roles and RoleBindings, each with its namespace, one of the system's.
std::vector<Value> bootstrap_roles();
std::vector<Value> bootstrap_role_bindings();

// A stored role or binding with the rules or subjects that it lacks; the stored one itself when it lacks none.
Value reconciled(const Value& wanted, const Value& stored);

}  // namespace minik::control
