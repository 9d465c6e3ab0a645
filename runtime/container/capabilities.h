// Linux capabilities of containers: the default set, names to numbers, and putting a set in force.
// capabilities(7); the default is the one that Docker and CRI runtimes agree on.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"

namespace minik::runtime {

// The default set with these added and dropped; names with or without "CAP_", "ALL" for all. An unknown
// name is Invalid.
Result<std::vector<std::string>> capability_set(const std::vector<std::string>& add,
                                                const std::vector<std::string>& drop, bool privileged);

// Of the calling process, for what it executes next: everything outside the set leaves the bounding set.
// Before the change of user, and again after it. Those that the process lacks are left out. Called in the single-threaded child.
Status drop_bounding_set(const std::vector<std::string>& keep);
Status set_capabilities(const std::vector<std::string>& keep, bool root);

}  // namespace minik::runtime
