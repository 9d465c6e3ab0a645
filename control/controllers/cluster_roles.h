// ClusterRole aggregation: a ClusterRole with an aggregationRule has the rules of every other
// ClusterRole that one of its selectors finds, each rule once, in the order of selectors and names.
//
// A role may collect roles that are collected themselves: a changed role wakes all that aggregate,
// until nothing changes. A pure decision on a snapshot.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

ControllerSpec cluster_role_aggregation_controller();

}  // namespace minik::control
