// The writes of the scheduler, as requests: bindings, what a pod's status says of its placing, and
// the two steps of an eviction for preemption. Pure functions; each names the pod by its uid, so
// that a namesake that came later is left alone.
#pragma once

#include <string>

#include "control/base/time.h"
#include "control/client/request.h"

namespace minik::control {

ApiRequest binding_request(const Value& pod, const std::string& node);
// Condition PodScheduled=False with reason Unschedulable; with a `nominated` node that too (""
// clears it).
ApiRequest unschedulable_request(const Value& pod, const std::string& message,
                                 const std::string* nominated, WallTime now);
ApiRequest clear_nomination_request(const Value& pod);
// Condition DisruptionTarget, so that who owns the victim knows why it goes.
ApiRequest disruption_request(const Value& victim, const std::string& scheduler, WallTime now);
ApiRequest eviction_request(const Value& victim);

}  // namespace minik::control
