#include "runtime/image/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <vector>

#include "control/base/check.h"
#include "control/base/text.h"

namespace minik::runtime {
namespace {

Result<UniqueFd> open_lock(const std::string& path) {
  return open_file(path, O_RDWR | O_CREAT, 0600);
}

int flock_retrying(int fd, int operation) {
  int result = 0;
  do {
    result = ::flock(fd, operation);
  } while (result != 0 && errno == EINTR);
  return result;
}

// The directory must be writable to be emptied; an image may hold one that is not.
UniqueFd open_directory_for_removal(int parent, const char* name) {
  constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  UniqueFd fd(::openat(parent, name, kFlags));
  if (!fd && errno == EACCES && ::fchmodat(parent, name, 0700, 0) == 0) {
    fd = UniqueFd(::openat(parent, name, kFlags));
  }
  if (fd) ::fchmod(fd.get(), 0700);
  return fd;
}

}  // namespace

void UniqueFd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Error disk_error(int error_number, std::string_view what) {
  Error error = error_from_errno(error_number, what);
  if (error_number == ENOSPC || error_number == EDQUOT) {
    error.message += "; free some space there (minik image rm removes images) and try again";
  } else if (error_number == EACCES || error_number == EPERM) {
    error.message += "; run as the user who owns it";
  } else if (error_number == EROFS) {
    error.message += "; choose a writable folder with MINIK_HOME";
  }
  return error;
}

Result<UniqueFd> open_file(const std::string& path, int flags, mode_t mode) {
  UniqueFd fd(::open(path.c_str(), flags | O_CLOEXEC, mode));
  if (!fd) return disk_error(errno, cat("open ", path));
  return fd;
}

Result<std::string> read_all(int fd, size_t max, std::string_view what) {
  std::string bytes;
  while (true) {
    const size_t before = bytes.size();
    bytes.resize(before + 64 * 1024);
    const ssize_t got = ::read(fd, bytes.data() + before, bytes.size() - before);
    if (got < 0 && errno != EINTR) return disk_error(errno, cat("read ", what));
    bytes.resize(before + (got > 0 ? static_cast<size_t>(got) : 0));
    if (got == 0) return bytes;
    if (bytes.size() > max) {
      return Error(ErrorCode::kRequestEntityTooLarge, cat(what, " is larger than ", max, " bytes"));
    }
  }
}

Result<std::string> read_file(const std::string& path, size_t max) {
  MINIK_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY));
  return read_all(fd.get(), max, path);
}

Status write_all(int fd, std::string_view bytes, std::string_view what) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return disk_error(errno, cat("write ", what));
    bytes.remove_prefix(static_cast<size_t>(put));
  }
  return {};
}

Status make_directories(const std::string& path, mode_t mode) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    if (::mkdir(part.c_str(), mode) != 0 && errno != EEXIST) {
      return disk_error(errno, cat("make folder ", part));
    }
    if (slash == std::string::npos) break;
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return disk_error(errno, cat("look at ", path));
  if (!S_ISDIR(status.st_mode)) return disk_error(ENOTDIR, cat("make folder ", path));
  return {};
}

Status sync_directory(const std::string& path) {
  MINIK_ASSIGN(const UniqueFd fd, open_file(path, O_RDONLY | O_DIRECTORY));
  if (::fsync(fd.get()) != 0) return disk_error(errno, cat("sync ", path));
  return {};
}

Status write_file_durably(const std::string& path, const std::string& temporary,
                          std::string_view bytes) {
  const auto fill = [&]() -> Status {
    MINIK_ASSIGN(const UniqueFd fd, open_file(temporary, O_WRONLY | O_CREAT | O_EXCL, 0644));
    MINIK_TRY(write_all(fd.get(), bytes, path));
    if (::fsync(fd.get()) != 0) return disk_error(errno, cat("sync ", path));
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
      return disk_error(errno, cat("rename to ", path));
    }
    return {};
  };
  if (auto filled = fill(); !filled) {
    ::unlink(temporary.c_str());
    return filled;
  }
  return sync_directory(path.substr(0, path.rfind('/')));
}

Status remove_tree(int directory_fd, const std::string& name) {
  if (::unlinkat(directory_fd, name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return disk_error(errno, cat("remove ", name));
  {
    const UniqueFd fd = open_directory_for_removal(directory_fd, name.c_str());
    if (!fd) return disk_error(errno, cat("open folder ", name));
    const int copy = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 0);
    DIR* entries = copy < 0 ? nullptr : ::fdopendir(copy);
    if (entries == nullptr) return disk_error(errno, cat("read folder ", name));
    std::vector<std::string> names;
    while (const dirent* entry = ::readdir(entries)) {
      const std::string_view child = entry->d_name;
      if (child != "." && child != "..") names.emplace_back(child);
    }
    ::closedir(entries);
    for (const std::string& child : names) MINIK_TRY(remove_tree(fd.get(), child));
  }
  if (::unlinkat(directory_fd, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return disk_error(errno, cat("remove folder ", name));
  }
  return {};
}

Status remove_tree(const std::string& path) {
  return remove_tree(AT_FDCWD, path);
}

std::string random_name() {
  char bytes[8];
  CHECK(::getrandom(bytes, sizeof bytes, 0) == sizeof bytes);
  return to_hex({bytes, sizeof bytes});
}

Result<FileLock> FileLock::shared(const std::string& path) {
  MINIK_ASSIGN(UniqueFd fd, open_lock(path));
  if (flock_retrying(fd.get(), LOCK_SH) != 0) return disk_error(errno, cat("lock ", path));
  return FileLock(std::move(fd));
}

Result<FileLock> FileLock::exclusive(const std::string& path) {
  MINIK_ASSIGN(UniqueFd fd, open_lock(path));
  if (flock_retrying(fd.get(), LOCK_EX) != 0) return disk_error(errno, cat("lock ", path));
  return FileLock(std::move(fd));
}

Result<std::optional<FileLock>> FileLock::try_exclusive(const std::string& path) {
  MINIK_ASSIGN(UniqueFd fd, open_lock(path));
  if (flock_retrying(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return std::optional<FileLock>();
    return disk_error(errno, cat("lock ", path));
  }
  return std::optional<FileLock>(FileLock(std::move(fd)));
}

}  // namespace minik::runtime
