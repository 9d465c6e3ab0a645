#include "runtime/container/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <vector>

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

namespace {

struct ForeignFile {
  int fd = -1;
  int64_t bytes = 0;
};

Result<ForeignFile> open_foreign_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return error_from_errno(errno, cat("open ", path));
  struct stat info {};
  if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) return ForeignFile{fd, info.st_size};
  close(fd);
  return Error(ErrorCode::kInvalid, cat(path, " is no regular file"));
}

Result<std::string> read_and_close(const ForeignFile& file, int64_t from, const std::string& path) {
  std::string text(static_cast<size_t>(file.bytes - from), '\0');
  size_t done = 0;
  ssize_t n = 0;
  while (done < text.size() && (n = pread(file.fd, text.data() + done, text.size() - done, from + static_cast<int64_t>(done))) > 0) {
    done += static_cast<size_t>(n);
  }
  const int error = errno;
  close(file.fd);
  if (n < 0) return error_from_errno(error, cat("read ", path));
  text.resize(done);
  return text;
}

}  // namespace

Result<std::string> read_foreign_file(const std::string& path, size_t bytes_max) {
  MINIK_ASSIGN(const auto file, open_foreign_file(path));
  if (file.bytes <= static_cast<int64_t>(bytes_max)) return read_and_close(file, 0, path);
  close(file.fd);
  return Error(ErrorCode::kInvalid, cat(path, " has more than ", bytes_max, " bytes"));
}

Result<std::string> read_end_of_foreign_file(const std::string& path, size_t bytes_max) {
  MINIK_ASSIGN(const auto file, open_foreign_file(path));
  return read_and_close(file, std::max<int64_t>(0, file.bytes - static_cast<int64_t>(bytes_max)), path);
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
  if (rename(aside.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  unlink(aside.c_str());
  return error_from_errno(error, cat("rename to ", path));
}

static std::string reservation_of(const std::string& path) { return path + ".reserved"; }

Status reserve_file(const std::string& path, size_t bytes) {
  return write_file_atomically(reservation_of(path), std::string(bytes, '\0'));
}

Status write_reserved_file(const std::string& path, std::string_view text) {
  const std::string aside = reservation_of(path);
  const int fd = open(aside.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return write_file_atomically(path, text);
  const ssize_t n = pwrite(fd, text.data(), text.size(), 0);
  const bool written = n == static_cast<ssize_t>(text.size()) && ftruncate(fd, n) == 0;
  const int error = errno;
  close(fd);
  if (!written) return error_from_errno(error, cat("write ", path));
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

Status unmount_below(const std::string& path) {
  MINIK_ASSIGN(const auto mounts, read_whole_file("/proc/self/mountinfo"));
  std::vector<std::string> below;
  for (const auto line : split(mounts, '\n')) {
    const auto fields = split(line, ' ');
    if (fields.size() > 4 && (fields[4] == path || fields[4].starts_with(cat(path, "/")))) {
      below.emplace_back(fields[4]);
    }
  }
  for (auto mount = below.rbegin(); mount != below.rend(); ++mount) umount2(mount->c_str(), MNT_DETACH);
  return {};
}

Status remove_mounted_tree(const std::string& path) {
  // Mounts below would survive a removal and hold their filesystems busy.
  (void)unmount_below(path).ok();
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return error_from_errno(error.value(), cat("remove ", path));
  return {};
}

namespace {

constexpr size_t kDepthMax = 256;  // a descriptor is open for each
constexpr int64_t kEntriesMax = 2'000'000;
constexpr int64_t kEntriesBetweenLooks = 1024;  // whether one should end

using Directory = std::unique_ptr<DIR, int (*)(DIR*)>;

// In thousandths, so that names of one file add up to it.
struct Shares {
  int64_t bytes = 0, inode_thousandths = 0;
  void add_name_of(const struct stat& file) {
    constexpr int64_t kBlock = 512;  // stat's, whatever the file system's is
    const int64_t names = S_ISDIR(file.st_mode) ? 1 : std::max<int64_t>(1, static_cast<int64_t>(file.st_nlink));
    bytes += static_cast<int64_t>(file.st_blocks) * kBlock / names;
    inode_thousandths += 1000 / names;
  }
};

// By a descriptor that cannot lead elsewhere: a directory that has become a link meanwhile is refused.
Directory open_directory(int at, const char* name) {
  const int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
  Directory opened(fd < 0 ? nullptr : fdopendir(fd), closedir);
  if (fd >= 0 && !opened) close(fd);
  return opened;
}

}  // namespace

TreeUsage usage_on_disk(const std::string& path, const std::function<bool()>& stopped) {
  struct stat root {};
  if (lstat(path.c_str(), &root) != 0) return {};
  Shares shares;
  shares.add_name_of(root);
  std::vector<Directory> below;  // from the root to where the walk is
  if (auto opened = open_directory(AT_FDCWD, path.c_str())) below.push_back(std::move(opened));
  for (int64_t entries = 0; !below.empty() && entries < kEntriesMax;) {
    DIR* const here = below.back().get();
    const dirent* const entry = readdir(here);
    if (!entry) {
      below.pop_back();
      continue;
    }
    const std::string_view name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (++entries % kEntriesBetweenLooks == 0 && stopped && stopped()) break;
    struct stat file {};
    if (fstatat(dirfd(here), entry->d_name, &file, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) != 0 || file.st_dev != root.st_dev) continue;
    shares.add_name_of(file);
    if (!S_ISDIR(file.st_mode) || below.size() >= kDepthMax) continue;
    auto opened = open_directory(dirfd(here), entry->d_name);
    struct stat inside {};
    const bool is_same = opened && fstat(dirfd(opened.get()), &inside) == 0 && inside.st_dev == root.st_dev;
    if (is_same) below.push_back(std::move(opened));
  }
  return {shares.bytes, shares.inode_thousandths / 1000};
}

}  // namespace minik::runtime
