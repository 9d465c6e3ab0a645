// The default system call filter of containers: what lets a process touch the machine rather than its
// container answers EPERM. The same calls that Docker's default profile blocks for a container with
// default capabilities; newer mount and io_uring calls included.
#pragma once

#include "control/base/result.h"

namespace minik::runtime {

// Loads the filter into the calling process; needs no_new_privs or CAP_SYS_ADMIN.
Status load_default_seccomp();

}  // namespace minik::runtime
