#include "minik/process/empty_dir.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "control/base/text.h"
#include "runtime/container/files.h"

namespace minik {

bool is_mounted(const std::string& path) {
  struct stat own {}, above {};
  const std::string parent = path.substr(0, path.rfind('/'));
  return lstat(path.c_str(), &own) == 0 && lstat(parent.c_str(), &above) == 0 && own.st_dev != above.st_dev;
}

Status make_empty_dir(const std::string& path, const EmptyDirOptions& options) {
  MINIK_TRY(runtime::make_directories(path, 0777));
  if (options.in_memory) {
    // Two containers of a pod may begin at once, and one of two mounts would hide the other.
    static std::mutex one_at_a_time;
    const std::lock_guard lock(one_at_a_time);
    const std::string size = options.size_bytes > 0 ? cat("mode=0777,size=", options.size_bytes) : "mode=0777";
    if (!is_mounted(path) && mount("tmpfs", path.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, size.c_str()) != 0) {
      return error_from_errno(errno, cat("mount ", path));
    }
  }
  if (chmod(path.c_str(), 0777) != 0) return error_from_errno(errno, cat("chmod ", path));
  return options.group ? give_to_group(path, *options.group, true) : Status();
}

Status give_to_group(const std::string& path, int64_t group, bool writable) {
  constexpr mode_t kRead = 0440, kWrite = 0660, kEnter = 02110;
  const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return error_from_errno(errno, cat("open ", path));
  struct stat info {};
  bool given = fstat(fd, &info) == 0 && fchown(fd, static_cast<uid_t>(-1), static_cast<gid_t>(group)) == 0;
  const mode_t added = (writable ? kWrite : kRead) | (S_ISDIR(info.st_mode) ? kEnter : 0);
  given = given && fchmod(fd, (info.st_mode & 07777) | added) == 0;
  const int error = errno;
  close(fd);
  return given ? Status() : Status(error_from_errno(error, cat("give ", path, " to group ", group)));
}

}  // namespace minik
