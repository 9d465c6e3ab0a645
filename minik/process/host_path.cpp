#include "minik/process/host_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string_view>

#include "control/base/text.h"
#include "runtime/container/files.h"

namespace minik {

namespace {

// Of what the path leads to; none: nothing.
std::optional<mode_t> kind_of(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return std::nullopt;
  return info.st_mode & S_IFMT;
}

Status make_file(const std::string& path) {
  const runtime::FileDescriptor made(open(path.c_str(), O_CREAT | O_RDONLY | O_CLOEXEC, 0644));
  return made ? Status() : error_from_errno(errno, cat("make ", path));
}

}  // namespace

Status prepare_host_path(const control::ContainerRuntime::HostPath& wanted) {
  const auto& [path, type, mode] = wanted;
  const auto kind = kind_of(path);
  if (type == control::ContainerRuntime::kLocalVolume) {
    return kind ? Status() : Error(ErrorCode::kNotFound, cat("path ", minik::quoted(path), " does not exist"));
  }
  const auto is_a = [&, &path = path](bool right, std::string_view what) {
    return right ? Status() : Error(ErrorCode::kInvalid, cat("hostPath type check failed: ", path, " is not a ", what));
  };
  if (type == "DirectoryOrCreate" && !kind) {
    MINIK_TRY(runtime::make_directories(path, mode));
    chmod(path.c_str(), static_cast<mode_t>(mode));  // whatever the umask is
    return {};
  }
  if (type == "FileOrCreate" && !kind) return make_file(path);
  if (type == "Directory" || type == "DirectoryOrCreate") return is_a(kind == S_IFDIR, "directory");
  if (type == "File" || type == "FileOrCreate") return is_a(kind && kind != S_IFDIR, "file");
  if (type == "Socket") return is_a(kind == S_IFSOCK, "socket file");
  if (type == "CharDevice") return is_a(kind == S_IFCHR, "character device");
  if (type == "BlockDevice") return is_a(kind == S_IFBLK, "block device");
  return {};
}

}  // namespace minik
