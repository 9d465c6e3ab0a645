#include "runtime/container/files.h"

#include <fcntl.h>
#include <fts.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <set>

#include "control/base/text.h"

namespace minik::runtime {

Result<std::string> read_whole_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error_from_errno(errno, cat("open ", path));
  std::string text;
  char buffer[16384];
  ssize_t n = 0;
  while ((n = read(fd, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  const int error = errno;
  close(fd);
  if (n < 0) return error_from_errno(error, cat("read ", path));
  return text;
}

Status write_kernel_file(const std::string& path, std::string_view text) {
  const int fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return error_from_errno(errno, cat("open ", path));
  const ssize_t n = write(fd, text.data(), text.size());
  const int error = errno;
  close(fd);
  if (n != static_cast<ssize_t>(text.size())) return error_from_errno(error, cat("write ", text, " to ", path));
  return {};
}

Status write_file_atomically(const std::string& path, std::string_view text, int mode) {
  const std::string aside = cat(path, ".", getpid(), ".tmp");
  const int fd = open(aside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  if (fd < 0) return error_from_errno(errno, cat("create ", aside));
  fchmod(fd, static_cast<mode_t>(mode));
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = write(fd, text.data() + done, text.size() - done);
    if (n < 0) {
      const int error = errno;
      close(fd);
      unlink(aside.c_str());
      return error_from_errno(error, cat("write ", path));
    }
    done += static_cast<size_t>(n);
  }
  close(fd);
  if (rename(aside.c_str(), path.c_str()) != 0) return error_from_errno(errno, cat("rename to ", path));
  return {};
}

Status make_directories(const std::string& path, int mode) {
  for (size_t at = 1; at != std::string::npos;) {
    at = path.find('/', at + 1);
    const std::string part = path.substr(0, at);
    if (mkdir(part.c_str(), static_cast<mode_t>(mode)) != 0 && errno != EEXIST) {
      return error_from_errno(errno, cat("mkdir ", part));
    }
  }
  return {};
}

Status remove_mounted_tree(const std::string& path) {
  // Mounts below would survive a removal and hold their filesystems busy.
  if (const auto mounts = read_whole_file("/proc/self/mountinfo")) {
    std::vector<std::string> below;
    for (const auto line : split(*mounts, '\n')) {
      const auto fields = split(line, ' ');
      if (fields.size() > 4 && (fields[4] == path || fields[4].starts_with(cat(path, "/")))) {
        below.emplace_back(fields[4]);
      }
    }
    for (auto mount = below.rbegin(); mount != below.rend(); ++mount) umount2(mount->c_str(), MNT_DETACH);
  }
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return error_from_errno(error.value(), cat("remove ", path));
  return {};
}

int64_t bytes_on_disk(const std::string& path) {
  std::string root = path;
  char* roots[] = {root.data(), nullptr};
  // Without a change of directory, which would be the whole process'.
  const std::unique_ptr<FTS, int (*)(FTS*)> walk(fts_open(roots, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, nullptr), fts_close);
  if (!walk) return 0;
  constexpr int64_t kBlock = 512;  // stat's, whatever the file system's is
  int64_t bytes = 0;
  std::set<ino_t> counted;
  while (const FTSENT* entry = fts_read(walk.get())) {
    const bool is_known = entry->fts_info != FTS_DP && entry->fts_info != FTS_NS && entry->fts_info != FTS_ERR;
    if (!is_known) continue;
    const struct stat& file = *entry->fts_statp;
    if (!S_ISDIR(file.st_mode) && file.st_nlink > 1 && !counted.insert(file.st_ino).second) continue;
    bytes += static_cast<int64_t>(file.st_blocks) * kBlock;
  }
  return bytes;
}

}  // namespace minik::runtime
