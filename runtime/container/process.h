// The last steps of a process on its way into a container: user, capabilities, filter, program. Used by
// the container's first process and by exec alike.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"
#include "runtime/container/spec.h"

namespace minik::runtime {

struct ProcessIdentity {
  unsigned int uid = 0, gid = 0;
  std::vector<unsigned int> groups;
  std::string home;
};

// Resolves "user:group" against /etc/passwd and /etc/group of the root that the caller stands in; without a user it is root.
// With `image_groups` the groups that the user is a member of there are among the process' own, whatever its first group is.
Result<ProcessIdentity> resolve_user(const std::string& user, const std::vector<int64_t>& supplementary, bool image_groups);

// Never returns on success. Errors read as a container runtime's:
//   exec: "foo": executable file not found in $PATH
Error execute(const ContainerSpec& spec, const std::vector<std::string>& args, std::vector<std::string> env);

}  // namespace minik::runtime
