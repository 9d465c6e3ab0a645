// Terminals of a container: a pair of pseudo-terminal ends from the devpts instance that the
// container itself sees, so that tty(1), sudo or tmux in there find their terminal by its name.
// pts(4), ioctl_tty(2).
#pragma once

#include <string>

#include "control/base/result.h"

namespace minik::runtime {

// Both close-on-exec and the caller's.
struct Terminal {
  int master = -1;
  int slave = -1;
};

// `root` is where the container's root filesystem is seen: "/" inside it, /proc/<pid>/root from
// outside. What the container may have put at /dev/pts is not trusted: links are not followed out
// of the root, and anything but a ptmx device is refused.
Result<Terminal> open_terminal(const std::string& root);

}  // namespace minik::runtime
