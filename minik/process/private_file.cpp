#include "minik/process/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "control/base/text.h"
#include "minik/net/unique_fd.h"

namespace minik {
namespace {

Status write_all(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return error_from_errno(errno, cat("write ", path));
    text.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status write_aside(const std::string& aside, std::string_view text, Durability durability,
                   const FileOwner& owner) {
  unlink(aside.c_str());  // left by a crash
  const UniqueFd fd(open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return error_from_errno(errno, cat("create ", aside));
  MINIK_TRY(write_all(fd.get(), text, aside));
  // Giving a file away needs root; without, the writer is its owner as before.
  if (owner.uid != static_cast<uid_t>(-1) && fchown(fd.get(), owner.uid, owner.gid) != 0 &&
      errno != EPERM) {
    return error_from_errno(errno, cat("chown ", aside));
  }
  if (fchmod(fd.get(), owner.mode) != 0) return error_from_errno(errno, cat("chmod ", aside));
  if (durability == Durability::kSync && fsync(fd.get()) != 0) {
    return error_from_errno(errno, cat("sync ", aside));
  }
  return {};
}

}  // namespace

Status write_private_file(const std::string& path, std::string_view text, Durability durability,
                          FileOwner owner) {
  const std::string aside = cat(path, ".minik-new");
  Status written = write_aside(aside, text, durability, owner);
  if (written && rename(aside.c_str(), path.c_str()) != 0) {
    written = error_from_errno(errno, cat("rename ", aside));
  }
  if (!written) unlink(aside.c_str());
  return written;
}

Result<std::string> read_small_file(const std::string& path, size_t bytes_max) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return error_from_errno(errno, cat("open ", path));
  std::string text;
  char piece[16 * 1024];
  for (;;) {
    const ssize_t got = read(fd.get(), piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error_from_errno(errno, cat("read ", path));
    if (got == 0) return text;
    text.append(piece, static_cast<size_t>(got));
    if (text.size() > bytes_max) {
      return Error(ErrorCode::kRequestEntityTooLarge,
                   cat(path, " has more than ", bytes_max, " bytes"));
    }
  }
}

Status make_folder(const std::string& path, mode_t mode) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && !std::filesystem::exists(parent, error)) {
    std::filesystem::create_directories(parent, error);
    if (error) return error_from_errno(error.value(), cat("create ", parent.string()));
  }
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST) {
    return error_from_errno(errno, cat("create ", path));
  }
  return {};
}

}  // namespace minik
