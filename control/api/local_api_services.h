// APIServices: which server answers for a group and version. For everything that is served here Kubernetes
// has an object that says Local and Available; they follow from the schema, so they are made when somebody
// asks and not stored. What users store besides says where a group would be found elsewhere, which is not
// offered: its condition says so.
#pragma once

#include <vector>

#include "control/base/time.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

// Sorted by name. `since` is their creation.
std::vector<Value> local_api_services(const Schema& schema, const Value& since);
// Absent where nothing of this name ("v1.apps", "v1.") is served here.
Value local_api_service(const Schema& schema, std::string_view name, const Value& since);
// A stored one with the condition Available.
Value with_availability(const Value& service, WallTime now);

}  // namespace minik::control
