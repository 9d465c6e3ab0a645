// APIServices: which server answers for a group and version. For everything that is served here Kubernetes
// has an object that says Local and Available; they follow from the schema, so they are made when somebody
// asks and not stored. What users store besides says where a group is found elsewhere (api_aggregator.h).
#pragma once

#include <string>
#include <vector>

#include "control/base/time.h"
#include "control/object/value.h"
#include "control/schema/schema.h"

namespace minik::control {

// Sorted by name. `since` is their creation.
std::vector<Value> local_api_services(const Schema& schema, const Value& since);
// Absent where nothing of this name ("v1.apps", "v1.") is served here.
Value local_api_service(const Schema& schema, std::string_view name, const Value& since);
// Whether a version of a group is none that is defined at run time.
bool is_built_in(const Schema& schema, std::string_view group, std::string_view version);
// Whether nobody may say that somebody else serves what the APIService of this name is about. The usual server of
// metrics.k8s.io may be put in the place of ours.
bool is_taken_by_local_api(const Schema& schema, std::string_view name);

struct Availability {
  bool available;
  std::string reason, message;
};
// A stored one with that condition; when it last changed is kept while its status is the same.
Value with_available(const Value& service, const Availability& wanted, WallTime now);
// A new one as it is stored first: what is served here is available at once, what is elsewhere is not known yet.
Value with_first_status(const Value& service, WallTime now);

}  // namespace minik::control
