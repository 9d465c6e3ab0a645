// A container's root filesystem, built by its first process inside a fresh mount namespace: the overlay,
// the pseudo filesystems, devices, the mounts asked for, masked and read-only paths, and the pivot into
// it. OCI runtime specification, linux: default filesystems and devices.
#pragma once

#include <string>

#include "control/base/result.h"
#include "runtime/container/spec.h"

namespace minik::runtime {

// `directory` is the container's own: upper, work and root are made in it. Afterwards the caller stands
// in the new root. `terminal_path` is the host's pts device for /dev/console, or empty.
Status enter_root_filesystem(const ContainerSpec& spec, const std::string& directory);

}  // namespace minik::runtime
