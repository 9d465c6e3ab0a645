// Moments of a scenario that wait for a state of objects, in a real cluster: whether it is there now.
//
// What the predicate speaks of is listed and judged by the simulator's own code. An API server that does not answer has it
// not.
#pragma once

#include <string>
#include <string_view>

#include "control/schema/schema.h"
#include "minik/process/profile.h"
#include "sim/predicate.h"

namespace minik::cli {

// Of all namespaces and all objects where these are empty.
std::string api_path(const control::ResourceInfo& resource, std::string_view namespace_, std::string_view name);

// Of an object or a selection; metrics are refused before.
bool holds_now(const Profile& profile, const sim::Predicate& predicate);

}  // namespace minik::cli
