#include "runtime/container/program.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "control/base/text.h"

namespace minik::runtime {

namespace {

constexpr const char* kRunning = "/proc/self/exe";

bool same_file(int fd, const char* path) {
  struct stat ours {}, running {};
  return fstat(fd, &ours) == 0 && stat(path, &running) == 0 && ours.st_dev == running.st_dev &&
         ours.st_ino == running.st_ino;
}

}  // namespace

Result<OwnProgram> OwnProgram::open() {
  constexpr unsigned int kFlags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
  OwnProgram program;
  program.mount_ = FileDescriptor(open_tree(AT_FDCWD, kRunning, kFlags));
  if (!program.mount_) {
    // The mount that it was started from is another namespace's: by its name, it is on one of ours.
    char path[4096] = {};
    if (readlink(kRunning, path, sizeof path - 1) > 0) program.mount_ = FileDescriptor(open_tree(AT_FDCWD, path, kFlags));
  }
  if (!program.mount_) return error_from_errno(errno, "clone the mount of minik's program");
  if (!same_file(program.mount_.get(), kRunning)) {
    return Error(ErrorCode::kConflict, "minik's program has been replaced while it was starting: start it again");
  }
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
  if (mount_setattr(program.mount_.get(), "", AT_EMPTY_PATH, &read_only, sizeof read_only) == 0) return program;
  return error_from_errno(errno, "make the mount of minik's program read-only");
}

std::string OwnProgram::path() const { return cat("/proc/", getpid(), "/fd/", mount_.get()); }

}  // namespace minik::runtime
