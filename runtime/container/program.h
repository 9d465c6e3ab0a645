// minik's own program as containers may come to hold it. Whoever runs next to a process of ours can have its program
// through /proc (an entrypoint of "#!/proc/self/exe" even makes the kernel run it inside), and root in a container is the
// file's owner. So what stands next to containers, shims and pause processes, is started from a mount of this one file that
// is read-only, attached to no tree and shared by all: there is nothing to copy, and nothing can be changed through it.
#pragma once

#include <string>

#include "control/base/result.h"
#include "runtime/container/files.h"

namespace minik::runtime {

// The descriptor on which a shim or a pause process says once how its start went.
inline constexpr int kHandshakeFd = 3;

class OwnProgram {
 public:
  // Fails where the kernel has no mount_setattr, and where the file has been replaced since this process was started.
  static Result<OwnProgram> open();
  // To start it by, from this process, as long as this lives. It follows the file that runs, not its name.
  std::string path() const;

 private:
  FileDescriptor mount_;
};

}  // namespace minik::runtime
