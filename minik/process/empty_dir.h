// EmptyDir volumes as the kubelet makes them: a directory that everybody may write, or a tmpfs of that mode.
//
// One of medium Memory is mounted once per pod, on its directory, and containers bind it: they share it, it
// outlives each of them, and a node agent that is started again finds it mounted. It goes with the pod's directory,
// whose removal unmounts what is below (remove_mounted_tree). With a group (fsGroup) the directory and what is made
// in it are that group's. Idempotent; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "control/base/result.h"

namespace minik {

struct EmptyDirOptions {
  bool in_memory = false;
  int64_t size_bytes = 0;  // of one in memory; 0: what the kernel gives
  std::optional<int64_t> group;
};

Status make_empty_dir(const std::string& path, const EmptyDirOptions& options);

// As Kubernetes gives a volume to a group: who is in it may read, and write where `writable`; of a directory, what
// is made in it belongs to the group, too. No link is followed.
Status give_to_group(const std::string& path, int64_t group, bool writable);

// Whether another file system begins there.
bool is_mounted(const std::string& path);

}  // namespace minik
