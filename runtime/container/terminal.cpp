#include "runtime/container/terminal.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

namespace minik::runtime {

namespace {

// Linux' device numbers: a ptmx node is 5:2 wherever it lies.
constexpr unsigned kPtmxMajor = 5, kPtmxMinor = 2;

int open_below(const std::string& root, const char* path) {
  const int directory = open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return -1;
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const auto fd = static_cast<int>(syscall(SYS_openat2, directory, path, &how, sizeof how));
  const int error = errno;
  close(directory);
  errno = error;
  return fd;
}

}  // namespace

Result<Terminal> open_terminal(const std::string& root) {
  const int node = open_below(root, "dev/pts/ptmx");
  if (node < 0) return error_from_errno(errno, "open the container's /dev/pts/ptmx");
  struct stat info {};
  const bool is_ptmx = fstat(node, &info) == 0 && S_ISCHR(info.st_mode) &&
                       major(info.st_rdev) == kPtmxMajor && minor(info.st_rdev) == kPtmxMinor;
  Terminal terminal;
  if (is_ptmx) {
    terminal.master =
        open(("/proc/self/fd/" + std::to_string(node)).c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  close(node);
  if (!is_ptmx)
    return Error(ErrorCode::kInvalid, "the container's /dev/pts/ptmx is no terminal multiplexer");
  const int unlocked = 0;
  if (terminal.master >= 0 && ioctl(terminal.master, TIOCSPTLCK, &unlocked) == 0) {
    terminal.slave = ioctl(terminal.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  }
  if (terminal.slave >= 0) return terminal;
  const int error = errno;
  if (terminal.master >= 0) close(terminal.master);
  return error_from_errno(error, "open a terminal of the container");
}

}  // namespace minik::runtime
