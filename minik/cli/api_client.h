// The command line's own requests to the cluster of a profile, with the administrator's
// certificate. Blocking.
#pragma once

#include <string>

#include "control/base/result.h"
#include "control/object/value.h"
#include "minik/process/profile.h"

namespace minik::cli {

Result<control::Value> api_get(const Profile& profile, const std::string& path);
// Until every node says that it is Ready, and there is one.
Status wait_for_nodes(const Profile& profile, int timeout_ms);

}  // namespace minik::cli
