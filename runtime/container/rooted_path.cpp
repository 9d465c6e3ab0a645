#include "runtime/container/rooted_path.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>
#include <vector>

#include "control/base/text.h"

namespace minik::runtime {

namespace {

// The parts of a path still to go, the next one last.
void put_in_front(std::vector<std::string>& rest, std::string_view path) {
  const auto parts = split(path, '/');
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (!part->empty() && *part != ".") rest.emplace_back(*part);
  }
}

Result<FileDescriptor> open_or_make(int at, const std::string& name, PathEnd kind) {
  constexpr int kFlags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  FileDescriptor opened(openat(at, name.c_str(), kFlags));
  if (opened) return opened;
  if (errno != ENOENT) return error_from_errno(errno, cat("open ", name));
  if (kind == PathEnd::kDirectory) {
    if (mkdirat(at, name.c_str(), 0755) != 0 && errno != EEXIST) return error_from_errno(errno, cat("mkdir ", name));
  } else {
    const FileDescriptor made(openat(at, name.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
    if (!made && errno != EEXIST) return error_from_errno(errno, cat("create ", name));
  }
  opened = FileDescriptor(openat(at, name.c_str(), kFlags));
  if (!opened) return error_from_errno(errno, cat("open ", name));
  return opened;
}

Result<FileDescriptor> beneath(int directory, const std::string& path) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: something was renamed just now, and the kernel could not tell where ".." led. Whoever does nothing else wins.
  constexpr int kTries = 128;
  for (int i = 0; i < kTries; ++i) {
    FileDescriptor opened(static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how)));
    if (opened) return opened;
    if (errno != EAGAIN) break;
  }
  if (errno == EXDEV || errno == ELOOP) return Error(ErrorCode::kInvalid, "a link in it leads out of the volume");
  return error_from_errno(errno, cat("open ", path));
}

Result<FileDescriptor> open_directory(const std::string& path) {
  FileDescriptor opened(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!opened) return error_from_errno(errno, cat("open ", path));
  return opened;
}

}  // namespace

Result<FileDescriptor> open_in_root(int root, const std::string& path, PathEnd end) {
  constexpr int kLinksMax = 40;  // the kernel's
  int links = 0;
  std::vector<FileDescriptor> trail;  // from the root down; ".." goes back on it, wherever a directory has been moved since
  std::vector<std::string> rest;
  put_in_front(rest, path);
  while (!rest.empty()) {
    const std::string part = std::move(rest.back());
    rest.pop_back();
    if (part == "..") {
      if (!trail.empty()) trail.pop_back();
      continue;
    }
    const int at = trail.empty() ? root : trail.back().get();
    MINIK_ASSIGN(FileDescriptor next, open_or_make(at, part, rest.empty() ? end : PathEnd::kDirectory));
    struct stat info {};
    if (fstat(next.get(), &info) != 0) return error_from_errno(errno, cat("look at ", part));
    if (!S_ISLNK(info.st_mode)) {
      trail.push_back(std::move(next));
      continue;
    }
    char target[PATH_MAX];
    const ssize_t size = readlinkat(next.get(), "", target, sizeof target);
    if (size < 0) return error_from_errno(errno, cat("read the link ", part));
    if (++links > kLinksMax) return Error(ErrorCode::kInvalid, "too many links");
    if (size > 0 && target[0] == '/') trail.clear();
    put_in_front(rest, {target, static_cast<size_t>(size)});
  }
  if (!trail.empty()) return std::move(trail.back());
  FileDescriptor same(fcntl(root, F_DUPFD_CLOEXEC, 0));
  if (!same) return error_from_errno(errno, "open the root");
  return same;
}

Result<FileDescriptor> open_beneath(const std::string& directory, const std::string& path) {
  MINIK_ASSIGN(const FileDescriptor root, open_directory(directory));
  return beneath(root.get(), path);
}

Status make_beneath(const std::string& directory, const std::string& path) {
  MINIK_ASSIGN(const FileDescriptor root, open_directory(directory));
  struct stat info {};
  if (fstat(root.get(), &info) != 0) return error_from_errno(errno, cat("look at ", directory));
  FileDescriptor parent;
  std::string so_far;
  for (const auto part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    const int at = parent ? parent.get() : root.get();
    const std::string name(part);
    so_far += cat(so_far.empty() ? "" : "/", part);
    auto next = beneath(root.get(), so_far);
    if (!next && next.error().code == ErrorCode::kNotFound) {
      if (mkdirat(at, name.c_str(), 0700) == 0) {
        const FileDescriptor made(openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (!made || fchmod(made.get(), info.st_mode & 07777) != 0) return error_from_errno(errno, cat("make ", so_far));
      } else if (errno != EEXIST) {
        return error_from_errno(errno, cat("mkdir ", so_far));
      }
      next = beneath(root.get(), so_far);
    }
    if (!next) return std::move(next).error();
    parent = *std::move(next);
  }
  return {};
}

}  // namespace minik::runtime
