// The default system call filter of containers: what lets a process touch the machine rather than its
// container answers EPERM. The calls that Docker's default profile blocks, newer mount and io_uring calls
// included, less those that go with a capability that the container was given. Not filtered, unlike
// Docker's: personality() by its argument, sockets of AF_VSOCK, and calls newer than this list.
#pragma once

#include <string>
#include <vector>

#include "control/base/result.h"

namespace minik::runtime {

// Loads the filter into the calling process; needs no_new_privs or CAP_SYS_ADMIN.
Status load_default_seccomp(const std::vector<std::string>& capabilities);
// Another filter beside: mknod of a device answers EPERM. For machines whose control groups do not confine devices.
Status load_device_filter();

}  // namespace minik::runtime
