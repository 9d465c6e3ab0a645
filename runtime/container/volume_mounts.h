// The mounts that a container asks for, put into its root filesystem before it is entered.
//
// Another container of the pod may run already and change the volumes that they share. So every mount is first made aside,
// attached to nothing and with its flags from the start, and then put in its place by descriptor (rooted_path.h); last it is
// looked at whether the container's path leads to it. Who moves the path about meanwhile keeps the container from starting,
// and gets no mount anywhere outside of the root.
#pragma once

#include <cstdint>
#include <string>

#include "control/base/result.h"
#include "runtime/container/spec.h"

namespace minik::runtime {

// Whether device nodes in it can be opened at all (MS_NODEV where not).
enum class DeviceNodes : uint8_t { kDead, kLive };

// `root` is open on the root filesystem; sources are the machine's.
Status mount_volume(const MountSpec& mount, int root, DeviceNodes nodes);

// A tmpfs on the directory, made once: whoever binds it shares it, and finds what was in it. 0 bytes: half of memory.
Status make_memory_volume(const std::string& directory, int64_t size_bytes);

}  // namespace minik::runtime
