// The admission plugin NodeRestriction: the agent of a node (system:node:NAME in system:nodes) writes about its own
// node and the pods on it, and about nothing else: its Node without labels and taints that are others' to set, its
// lease, statuses and deletions of its pods, mirror pods, tokens that are bound to its pods, certificates in its own
// name. Has nothing to say about anybody else. Questions to the store; control thread only.
#pragma once

#include "control/client/request.h"
#include "control/schema/schema.h"
#include "control/store/store.h"

namespace minik::control {

// `object` is absent for a deletion or eviction, `old` for a creation.
Status check_node_restriction(const Store& store, const ResourceInfo& resource, const ApiRequest& request,
                              const Value& object, const Value& old);

}  // namespace minik::control
