// NodeAuthorizer: what the agent of a node may do, who is system:node:NAME in the group system:nodes. Most of it
// every node may; secrets, config maps, claims, volumes and accounts only where a pod of that node needs them,
// nodes, leases and pods only its own. Kubernetes' node authorizer, whose graph is a look at the node's pods here.
//
// Has no opinion about anybody else. Control thread only; keeps nothing.
#pragma once

#include <optional>
#include <string_view>

#include "control/access/attributes.h"
#include "control/client/request.h"
#include "control/store/store.h"

namespace minik::control {

// "n1" of "system:node:n1" in system:nodes; empty for everybody else.
std::string_view node_name_of(const UserInfo& user);

class NodeAuthorizer {
 public:
  explicit NodeAuthorizer(const Store& store) : store_(store) {}

  Decision decide(const UserInfo& user, const Attributes& wanted) const;

 private:
  Decision read_related(std::string_view node, const Attributes& wanted) const;
  bool is_related(std::string_view node, const Attributes& wanted) const;
  Decision decide_pod(std::string_view node, const Attributes& wanted) const;

  const Store& store_;
};

}  // namespace minik::control
