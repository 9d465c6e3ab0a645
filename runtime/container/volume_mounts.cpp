#include "runtime/container/volume_mounts.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "control/base/text.h"
#include "runtime/container/rooted_path.h"

namespace minik::runtime {

namespace {

Result<FileDescriptor> open_source(const MountSpec& mount) {
  if (!mount.sub_path.empty()) {
    auto below = open_beneath(mount.source, mount.sub_path);
    if (!below) return std::move(below).error().in(cat("subPath ", minik::quoted(mount.sub_path)));
    return below;
  }
  FileDescriptor source(open(mount.source.c_str(), O_PATH | O_CLOEXEC));
  if (!source) return error_from_errno(errno, cat("volume ", mount.source));
  return source;
}

Result<FileDescriptor> copy_of_tree(const MountSpec& mount) {
  MINIK_ASSIGN(const FileDescriptor source, open_source(mount));
  FileDescriptor tree(open_tree(source.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE));
  if (!tree) return error_from_errno(errno, cat("clone the mount of ", mount.source));
  return tree;
}

Result<FileDescriptor> new_tmpfs(int64_t size_bytes) {
  const FileDescriptor filesystem(fsopen("tmpfs", FSOPEN_CLOEXEC));
  const auto set = [&](const char* key, const std::string& value) {
    return fsconfig(filesystem.get(), FSCONFIG_SET_STRING, key, value.c_str(), 0) == 0;
  };
  const bool made = filesystem && set("mode", "1777") && (size_bytes == 0 || set("size", cat(size_bytes))) &&
                    fsconfig(filesystem.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) == 0;
  FileDescriptor tree(made ? fsmount(filesystem.get(), FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV) : -1);
  if (!tree) return error_from_errno(errno, "make a tmpfs");
  return tree;
}

Status set_flags(const MountSpec& mount, int tree, DeviceNodes nodes) {
  mount_attr all{};
  all.propagation = mount.propagation == "rshared" ? MS_SHARED : mount.propagation == "rslave" ? MS_SLAVE : MS_PRIVATE;
  if (nodes == DeviceNodes::kDead) all.attr_set = MOUNT_ATTR_NODEV;
  if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof all) != 0) {
    return error_from_errno(errno, "set its flags");
  }
  if (!mount.read_only) return {};
  mount_attr top{};  // what is mounted below keeps its own, as Kubernetes has it
  top.attr_set = MOUNT_ATTR_RDONLY;
  if (mount_setattr(tree, "", AT_EMPTY_PATH, &top, sizeof top) != 0) {
    return error_from_errno(errno, "make it read-only");
  }
  return {};
}

// Numbers are of mounts and not of what they show.
Result<uint64_t> mount_number(int fd) {
  struct statx info {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) != 0) return error_from_errno(errno, "look at it");
  return info.stx_mnt_id;
}

Status put_in_place(int tree, int root, const std::string& target) {
  struct stat info {};
  if (fstat(tree, &info) != 0) return error_from_errno(errno, "look at it");
  const PathEnd end = S_ISDIR(info.st_mode) ? PathEnd::kDirectory : PathEnd::kFile;
  MINIK_ASSIGN(const FileDescriptor place, open_in_root(root, target, end));
  if (move_mount(tree, "", place.get(), "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) != 0) {
    return error_from_errno(errno, "put it in its place");
  }
  MINIK_ASSIGN(const FileDescriptor reached, open_in_root(root, target, end));
  MINIK_ASSIGN(const uint64_t made, mount_number(tree));
  MINIK_ASSIGN(const uint64_t found, mount_number(reached.get()));
  if (made == found) return {};
  return Error(ErrorCode::kConflict, "its path leads elsewhere by now: somebody changes it while the container starts");
}

// What the image has at the target; none where something else is mounted by now, which nothing of the image's may uncover.
Result<FileDescriptor> own_directory(const MountSpec& mount, int root) {
  MINIK_ASSIGN(const FileDescriptor place, open_in_root(root, mount.target, PathEnd::kDirectory));
  MINIK_ASSIGN(const uint64_t here, mount_number(place.get()));
  MINIK_ASSIGN(const uint64_t roots, mount_number(root));
  if (here != roots) return FileDescriptor();
  FileDescriptor tree(open_tree(place.get(), "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!tree) return error_from_errno(errno, "clone it");
  return tree;
}

}  // namespace

Status mount_volume(const MountSpec& mount, int root, DeviceNodes nodes) {
  const auto mounted = [&]() -> Status {
    MINIK_ASSIGN(const FileDescriptor tree, mount.type == "tmpfs" ? new_tmpfs(mount.size_bytes)
                                            : mount.type == "own" ? own_directory(mount, root)
                                                                  : copy_of_tree(mount));
    if (mount.type == "own" && !tree) return {};
    MINIK_TRY(set_flags(mount, tree.get(), nodes));
    return put_in_place(tree.get(), root, mount.target);
  };
  if (auto status = mounted(); !status.ok()) return std::move(status).error().in(cat("mount ", mount.target));
  return {};
}

}  // namespace minik::runtime
