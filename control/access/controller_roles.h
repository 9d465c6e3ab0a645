// What each of Kubernetes' controllers may do, as data: the rules of the ClusterRoles system:controller:*, and of the
// Roles in kube-system and kube-public. Here the controllers are one process and members of system:masters; the roles
// are there for controllers that run outside under the accounts of kube-system, and for charts and tools that name them.
//
// The words of a rule are separated by spaces and sorted, as Kubernetes writes them; "core" is the group without a name.
#pragma once

#include <span>
#include <string_view>

namespace minik::control {

// Lists of verbs that many rules have.
namespace role_verbs {
inline constexpr std::string_view kRead = "get list watch";
}  // namespace role_verbs

struct RoleRule {
  std::string_view groups, resources, verbs, names = {};
};

// The role system:controller:NAME, which is bound to the ServiceAccount NAME of kube-system.
struct ControllerRole {
  std::string_view name;
  std::span<const RoleRule> rules;
};
std::span<const ControllerRole> controller_roles();

// A Role of one namespace and whom it is bound to: users, and an account of kube-system. Its binding has a name of its
// own or the role's.
struct NamespaceRole {
  std::string_view namespace_, name;
  std::span<const RoleRule> rules;
  std::string_view binding, users, account;
};
std::span<const NamespaceRole> namespace_roles();

}  // namespace minik::control
