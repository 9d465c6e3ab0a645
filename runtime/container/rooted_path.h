// Paths below a directory that somebody else may be changing at the same time: between any two calls of ours a directory
// may become a link or move elsewhere. So no name is looked up twice: what these answer are descriptors (O_PATH), and
// whoever mounts or opens goes through them.
//
// Two manners, as two things are asked:
//   in root    a path of the container's, which is right whatever it meets: "/" and ".." end at the root
//   beneath    a path that a user promised to be inside a volume: one that leads out is an error
// Invalid: too many links, or a path that leads out. NotFound: a part is missing.
#pragma once

#include <cstdint>
#include <string>

#include "control/base/result.h"
#include "runtime/container/files.h"

namespace minik::runtime {

enum class PathEnd : uint8_t { kDirectory, kFile };

// As if `root` were "/". What is missing is made (directories 0755, the file 0644 and empty), also where a link leads that
// leads nowhere yet.
Result<FileDescriptor> open_in_root(int root, const std::string& path, PathEnd end);

// Links are followed as long as they stay below `directory`, which itself is trusted; absolute ones never do.
Result<FileDescriptor> open_beneath(const std::string& directory, const std::string& path);
// Makes what is missing of the path, directories with the mode of `directory`: subPath's rule in Kubernetes.
Status make_beneath(const std::string& directory, const std::string& path);

}  // namespace minik::runtime
