#include "runtime/image/layer_writer.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>

#include "control/base/check.h"
#include "control/base/text.h"

namespace minik::runtime {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kAufs = ".wh..wh.";
// One descriptor a level is open while a tree is removed, and no real tree is as deep.
constexpr size_t kDepthMax = 250;

int open_in_root(int root, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  // EAGAIN: somebody renamed something while the kernel walked a `..` of a link.
  for (int attempt = 0;; ++attempt) {
    const long fd =
        ::syscall(SYS_openat2, root, path.empty() ? "." : path.c_str(), &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN || attempt == 100) return static_cast<int>(fd);
  }
}

std::string proc_path(int fd) {
  return cat("/proc/self/fd/", fd);
}

Result<std::vector<std::string_view>> components_of(std::string_view path) {
  std::vector<std::string_view> components;
  for (const std::string_view part : split(path, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      return Error(ErrorCode::kInvalid,
                   "the path leads out of the layer with `..`; do not use "
                   "this image, it was made to overwrite files");
    }
    components.push_back(part);
  }
  if (components.size() > kDepthMax) {
    return Error(ErrorCode::kInvalid, cat("the path is more than ", kDepthMax, " folders deep"));
  }
  return components;
}

std::string joined(const std::vector<std::string_view>& components, size_t count) {
  std::string path;
  for (size_t i = 0; i < count; ++i) {
    if (i != 0) path += '/';
    path += components[i];
  }
  return path;
}

bool is_whiteout(const struct stat& status) {
  return S_ISCHR(status.st_mode) && status.st_rdev == makedev(0, 0);
}

// Overlayfs' own marks would let a layer reach into others; other namespaces belong to the host.
bool wanted_xattr(std::string_view name) {
  if (name.starts_with("user.overlay.") || name == "security.selinux") return false;
  return name.starts_with("user.") || name.starts_with("security.") ||
         name.starts_with("system.posix_acl_");
}

}  // namespace

Result<LayerPrivileges> probe_layer_privileges(const std::string& scratch_directory) {
  LayerPrivileges privileges;
  const std::string path = cat(scratch_directory, "/", random_name());
  MINIK_ASSIGN(const UniqueFd fd, open_file(path, O_WRONLY | O_CREAT | O_EXCL, 0600));
  // To somebody else: a file may always be given to its owner.
  const uid_t other = ::geteuid() == 1 ? 2 : 1;
  privileges.owners = ::fchown(fd.get(), other, other) == 0;
  const bool trusted = ::fsetxattr(fd.get(), "trusted.overlay.probe", "y", 1, 0) == 0;
  privileges.xattr_prefix = trusted ? "trusted.overlay." : "user.overlay.";
  ::unlink(path.c_str());
  privileges.devices = ::mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0;
  ::unlink(path.c_str());
  return privileges;
}

LayerWriter::LayerWriter(UniqueFd root, const LayerPrivileges& privileges,
                         std::vector<UniqueFd> lowers)
    : root_(std::move(root)), privileges_(privileges), lowers_(std::move(lowers)) {}

Result<LayerWriter> LayerWriter::open(const std::string& folder, const LayerPrivileges& privileges,
                                      std::vector<std::string> lowers) {
  MINIK_ASSIGN(UniqueFd root, open_file(folder, O_RDONLY | O_DIRECTORY));
  std::vector<UniqueFd> lower_fds;
  for (const std::string& lower : lowers) {
    MINIK_ASSIGN(UniqueFd fd, open_file(lower, O_PATH | O_DIRECTORY));
    lower_fds.push_back(std::move(fd));
  }
  struct stat below {};
  below.st_mode = 0755;
  if (!lower_fds.empty() && ::fstat(lower_fds.front().get(), &below) != 0) {
    return disk_error(errno, cat("look at ", lowers.front()));
  }
  LayerWriter writer(std::move(root), privileges, std::move(lower_fds));
  writer.directories_[""] = {below.st_mode & 07777, below.st_mtim};
  return writer;
}

Status LayerWriter::add(const LayerEntry& entry, const Fill& fill) {
  const auto write = [&]() -> Status {
    MINIK_ASSIGN(const auto components, components_of(entry.path));
    if (components.empty()) return add_root(entry);
    MINIK_ASSIGN(const Place target, place(entry.path));
    if (target.name.starts_with(kWhiteout)) return whiteout(target);
    switch (entry.type) {
      case LayerEntry::Type::kDirectory:
        return add_directory(entry, target);
      case LayerEntry::Type::kFile:
        return add_file(entry, target, fill);
      case LayerEntry::Type::kHardLink:
        return add_hard_link(entry, target);
      default:
        return add_node(entry, target);
    }
  };
  if (auto written = write(); !written) {
    return std::move(written).error().in(cat("entry ", quoted(entry.path.substr(0, 300))));
  }
  return {};
}

Result<LayerWriter::Place> LayerWriter::place(std::string_view path) {
  MINIK_ASSIGN(const auto components, components_of(path));
  const std::string parent = joined(components, components.size() - 1);
  if (!parent_fd_ || parent != parent_path_) {
    MINIK_ASSIGN(parent_fd_, open_parent(components));
    parent_path_ = parent;
  }
  return Place{parent_fd_.get(), std::string(components.back()),
               joined(components, components.size())};
}

Result<UniqueFd> LayerWriter::open_parent(const std::vector<std::string_view>& components) {
  constexpr int kFolder = O_RDONLY | O_DIRECTORY;
  const size_t count = components.size() - 1;
  UniqueFd whole(open_in_root(root_.get(), joined(components, count), kFolder));
  if (whole) return whole;
  if (errno != ENOENT) return disk_error(errno, "open its folder");
  UniqueFd parent(open_in_root(root_.get(), "", kFolder));
  for (size_t i = 0; i < count; ++i) {
    const std::string path = joined(components, i + 1);
    UniqueFd next(open_in_root(root_.get(), path, kFolder));
    if (!next && errno == ENOENT) {
      MINIK_TRY(make_implied(parent.get(), std::string(components[i]), path));
      next = UniqueFd(open_in_root(root_.get(), path, kFolder));
    }
    if (!next) return disk_error(errno, cat("open its folder ", path));
    parent = std::move(next);
  }
  return parent;
}

// A folder that the layer names only inside a longer path. Overlayfs shows the topmost folder's
// metadata, so it must look like the one below: /tmp must stay sticky.
Status LayerWriter::make_implied(int parent, const std::string& name, const std::string& path) {
  struct stat below {};
  below.st_mode = 0755;
  bool found = false;
  for (const UniqueFd& lower : lowers_) {
    const UniqueFd fd(open_in_root(lower.get(), path, O_PATH | O_DIRECTORY));
    if (!fd || ::fstat(fd.get(), &below) != 0) continue;
    found = true;
    break;
  }
  if (::mkdirat(parent, name.c_str(), 0700) != 0) return disk_error(errno, cat("make ", path));
  if (found && privileges_.owners &&
      ::fchownat(parent, name.c_str(), below.st_uid, below.st_gid, AT_SYMLINK_NOFOLLOW) != 0) {
    return disk_error(errno, cat("own ", path));
  }
  directories_[path] = {below.st_mode & 07777, below.st_mtim};
  return {};
}

Status LayerWriter::whiteout(const Place& place) {
  if (place.name == kOpaque) return set_opaque(place.parent);
  if (place.name.starts_with(kAufs)) return {};  // bookkeeping of aufs, not of the image
  const std::string hidden = place.name.substr(kWhiteout.size());
  if (hidden.empty() || hidden == "." || hidden == "..") {
    return Error(ErrorCode::kInvalid, "a whiteout that hides no name");
  }
  struct stat present {};
  if (::fstatat(place.parent, hidden.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0) {
    // What this layer brings itself is not hidden, only what lies below it.
    if (!S_ISDIR(present.st_mode)) return {};
    const UniqueFd fd(
        ::openat(place.parent, hidden.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return disk_error(errno, "open");
    return set_opaque(fd.get());
  }
  if (::mknodat(place.parent, hidden.c_str(), S_IFCHR, makedev(0, 0)) != 0) {
    return disk_error(errno, "make whiteout");
  }
  return {};
}

Status LayerWriter::set_opaque(int directory_fd) {
  const std::string name = cat(privileges_.xattr_prefix, "opaque");
  if (::fsetxattr(directory_fd, name.c_str(), "y", 1, 0) != 0) {
    return disk_error(errno, cat("set ", name));
  }
  return {};
}

Status LayerWriter::add_root(const LayerEntry& entry) {
  if (entry.type != LayerEntry::Type::kDirectory) {
    return Error(ErrorCode::kInvalid, "the layer's root is not a folder");
  }
  if (privileges_.owners && ::fchown(root_.get(), entry.uid, entry.gid) != 0) {
    return disk_error(errno, "own");
  }
  directories_[""] = {entry.mode, entry.modified};
  return {};
}

Status LayerWriter::add_directory(const LayerEntry& entry, const Place& place) {
  struct stat present {};
  const bool exists =
      ::fstatat(place.parent, place.name.c_str(), &present, AT_SYMLINK_NOFOLLOW) == 0;
  const bool hides = exists && is_whiteout(present);
  if (exists && !S_ISDIR(present.st_mode)) {
    MINIK_TRY(clear(place));
  }
  if (!exists || !S_ISDIR(present.st_mode)) {
    if (::mkdirat(place.parent, place.name.c_str(), 0700) != 0) return disk_error(errno, "make");
  }
  if (hides) {
    const UniqueFd fd(::openat(place.parent, place.name.c_str(),
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return disk_error(errno, "open");
    MINIK_TRY(set_opaque(fd.get()));
  }
  MINIK_TRY(set_owner(place, entry));
  MINIK_TRY(set_xattrs(place, entry));
  directories_[place.path] = {entry.mode, entry.modified};
  return {};
}

// Replaces what the layer had under this name; the cached parent may be inside of it.
Status LayerWriter::clear(const Place& place) {
  const std::string inside = place.path + "/";
  directories_.erase(place.path);
  directories_.erase(directories_.lower_bound(inside), directories_.lower_bound(place.path + "0"));
  return remove_tree(place.parent, place.name);
}

Status LayerWriter::add_file(const LayerEntry& entry, const Place& place, const Fill& fill) {
  MINIK_TRY(clear(place));
  const UniqueFd fd(::openat(place.parent, place.name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return disk_error(errno, "create");
  MINIK_TRY(fill(fd.get()));
  MINIK_TRY(set_owner(place, entry));
  if (::fchmod(fd.get(), entry.mode) != 0) return disk_error(errno, "set mode");
  MINIK_TRY(set_xattrs(place, entry));
  const timespec times[2] = {entry.modified, entry.modified};
  if (::futimens(fd.get(), times) != 0) return disk_error(errno, "set time");
  return {};
}

Status LayerWriter::add_hard_link(const LayerEntry& entry, const Place& place) {
  auto components = components_of(entry.link);
  if (!components) return std::move(components).error().in(cat("link to ", quoted(entry.link)));
  if (components->empty()) return Error(ErrorCode::kInvalid, "a hard link to nothing");
  const std::string folder = joined(*components, components->size() - 1);
  const std::string name(components->back());
  if (joined(*components, components->size()) == place.path) return {};
  const UniqueFd from(open_in_root(root_.get(), folder, O_PATH | O_DIRECTORY));
  struct stat target {};
  if (!from || ::fstatat(from.get(), name.c_str(), &target, AT_SYMLINK_NOFOLLOW) != 0) {
    return Error(ErrorCode::kInvalid,
                 cat("hard link to ", quoted(entry.link), ", which the layer does not hold"));
  }
  if (S_ISDIR(target.st_mode)) {
    return Error(ErrorCode::kInvalid, cat("hard link to the folder ", quoted(entry.link)));
  }
  MINIK_TRY(clear(place));
  if (::linkat(from.get(), name.c_str(), place.parent, place.name.c_str(), 0) != 0) {
    return disk_error(errno, "link");
  }
  return {};
}

Status LayerWriter::add_node(const LayerEntry& entry, const Place& place) {
  MINIK_TRY(clear(place));
  const char* name = place.name.c_str();
  const bool device =
      entry.type == LayerEntry::Type::kCharacter || entry.type == LayerEntry::Type::kBlock;
  if (device && !privileges_.devices) return {};
  const mode_t kind = entry.type == LayerEntry::Type::kCharacter ? S_IFCHR : S_IFBLK;
  int result = 0;
  if (device) {
    result = ::mknodat(place.parent, name, kind | 0600, entry.device);
  } else if (entry.type == LayerEntry::Type::kFifo) {
    result = ::mkfifoat(place.parent, name, 0600);
  } else {
    result = ::symlinkat(entry.link.c_str(), place.parent, name);
  }
  if (result != 0) return disk_error(errno, "make");
  MINIK_TRY(set_owner(place, entry));
  if (entry.type != LayerEntry::Type::kSymlink &&
      ::fchmodat(place.parent, name, entry.mode, 0) != 0) {
    return disk_error(errno, "set mode");
  }
  MINIK_TRY(set_xattrs(place, entry));
  const timespec times[2] = {entry.modified, entry.modified};
  if (::utimensat(place.parent, name, times, AT_SYMLINK_NOFOLLOW) != 0) {
    return disk_error(errno, "set time");
  }
  return {};
}

Status LayerWriter::set_owner(const Place& place, const LayerEntry& entry) {
  if (!privileges_.owners) return {};
  if (::fchownat(place.parent, place.name.c_str(), entry.uid, entry.gid, AT_SYMLINK_NOFOLLOW) !=
      0) {
    if (errno == EINVAL) {
      return Error(ErrorCode::kForbidden,
                   cat("owner ", entry.uid, ":", entry.gid,
                       " is not mapped in this user namespace; give the user more ids in "
                       "/etc/subuid and /etc/subgid"));
    }
    return disk_error(errno, "set owner");
  }
  return {};
}

Status LayerWriter::set_xattrs(const Place& place, const LayerEntry& entry) {
  for (const auto& [name, value] : entry.xattrs) {
    if (!wanted_xattr(name)) continue;
    const std::string path = cat(proc_path(place.parent), "/", place.name);
    if (::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) == 0) continue;
    // A file system without them, or a user who may not: the file is right but for the attribute.
    if (errno == ENOTSUP || errno == EPERM) continue;
    return disk_error(errno, cat("set attribute ", name));
  }
  return {};
}

Status LayerWriter::finish() {
  // Deepest first, since a folder's time changes when something below it is touched.
  for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
    const auto& [path, metadata] = *it;
    const UniqueFd fd(open_in_root(root_.get(), path, O_RDONLY | O_DIRECTORY));
    // Gone by way of a link that a later entry replaced.
    if (!fd && (errno == ENOENT || errno == ENOTDIR)) continue;
    if (!fd) return disk_error(errno, cat("open ", quoted(path)));
    const timespec times[2] = {metadata.modified, metadata.modified};
    if (::fchmod(fd.get(), metadata.mode) != 0 || ::futimens(fd.get(), times) != 0) {
      return disk_error(errno, cat("set mode of ", quoted(path)));
    }
  }
  return {};
}

}  // namespace minik::runtime
