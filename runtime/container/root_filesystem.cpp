#include "runtime/container/root_filesystem.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "control/base/text.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/files.h"
#include "runtime/container/volume_mounts.h"

namespace minik::runtime {

namespace {

constexpr const char* kMasked[] = {"/proc/asound",      "/proc/acpi",         "/proc/kcore",
                                   "/proc/keys",        "/proc/latency_stats", "/proc/timer_list",
                                   "/proc/timer_stats", "/proc/sched_debug",  "/proc/scsi",
                                   "/sys/firmware",     "/sys/devices/virtual/powercap"};
constexpr const char* kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};

struct Device {
  const char* path;
  unsigned int major, minor;
};
constexpr Device kDevices[] = {{"/dev/null", 1, 3}, {"/dev/zero", 1, 5},   {"/dev/full", 1, 7},
                               {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0}};

Status do_mount(const std::string& source, const std::string& target, const char* type, unsigned long flags,
                const std::string& options = {}) {
  if (mount(source.c_str(), target.c_str(), type, flags, options.empty() ? nullptr : options.c_str()) == 0) return {};
  return error_from_errno(errno, cat("mount ", target));
}

Status mount_overlay(const ContainerSpec& spec, const std::string& directory, const std::string& root) {
  const std::string upper = directory + "/upper", work = directory + "/work";
  MINIK_TRY(make_directories(upper));
  MINIK_TRY(make_directories(work));
  // The container's "/" is as its image has it: overlayfs shows the modes of the upper directory.
  struct stat top {};
  if (!spec.lower_directories.empty() && stat(spec.lower_directories.front().c_str(), &top) == 0 &&
      (chown(upper.c_str(), top.st_uid, top.st_gid) != 0 || chmod(upper.c_str(), top.st_mode & 07777) != 0)) {
    return error_from_errno(errno, cat("set the mode of ", upper));
  }
  // The kernel takes one page of options, in which ':' and ',' part what is said: directories go by their descriptors, whose
  // names are short and have neither.
  std::vector<FileDescriptor> held;
  const auto name_of = [&held](const std::string& path) -> Result<std::string> {
    FileDescriptor opened(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!opened) return error_from_errno(errno, cat("open ", path));
    held.push_back(std::move(opened));
    return cat("/proc/self/fd/", held.back().get());
  };
  std::vector<std::string> lowers;
  for (const auto& lower : spec.lower_directories) {
    MINIK_ASSIGN(auto name, name_of(lower));
    lowers.push_back(std::move(name));
  }
  MINIK_ASSIGN(const auto upper_name, name_of(upper));
  MINIK_ASSIGN(const auto work_name, name_of(work));
  const std::string options = cat("lowerdir=", join(lowers, ":"), ",upperdir=", upper_name, ",workdir=", work_name,
                                  spec.user_xattr ? ",userxattr" : "");
  if (options.size() >= 4096) {
    return Error(ErrorCode::kInvalid, cat("the image has too many layers (", spec.lower_directories.size(),
                                          ") for one overlay mount: rebuild it with fewer"));
  }
  auto mounted = do_mount("overlay", root, "overlay", spec.privileged ? 0 : MS_NODEV, options);
  if (!mounted.ok()) return std::move(mounted).error().in("root filesystem (does the kernel have overlayfs?)");
  return {};
}

// An image whose /proc, /sys or /dev leads elsewhere would have devices made and paths hidden in the wrong
// place, on the machine even.
Result<std::string> plain_directory(const std::string& root, const std::string& path) {
  const std::string at = root + path;
  if (mkdir(at.c_str(), 0755) != 0 && errno != EEXIST) return error_from_errno(errno, cat("mkdir ", path));
  struct stat info {};
  if (lstat(at.c_str(), &info) != 0 || S_ISLNK(info.st_mode)) {
    return Error(ErrorCode::kInvalid, cat("the image's ", path, " is a link: make it a directory"));
  }
  return at;
}

Status mount_default_filesystems(const ContainerSpec& spec, const std::string& root) {
  constexpr unsigned long kSafe = MS_NOSUID | MS_NOEXEC | MS_NODEV;
  MINIK_ASSIGN(const auto proc, plain_directory(root, "/proc"));
  MINIK_TRY(do_mount("proc", proc, "proc", kSafe));
  MINIK_ASSIGN(const auto sys, plain_directory(root, "/sys"));
  MINIK_TRY(do_mount("sysfs", sys, "sysfs", spec.privileged ? kSafe : kSafe | MS_RDONLY));
  MINIK_ASSIGN(const auto dev, plain_directory(root, "/dev"));
  MINIK_TRY(do_mount("tmpfs", dev, "tmpfs", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k"));
  for (const auto& [path, type, options] :
       {std::tuple{"/dev/pts", "devpts", "newinstance,ptmxmode=0666,mode=0620,gid=5"},
        std::tuple{"/dev/shm", "tmpfs", "mode=1777,size=65536k"}, std::tuple{"/dev/mqueue", "mqueue", ""}}) {
    const std::string target = root + path;
    mkdir(target.c_str(), 0755);
    const unsigned long flags = std::string_view(type) == "devpts" ? MS_NOSUID | MS_NOEXEC : kSafe;
    auto mounted = do_mount(type, target, type, flags, options);
    if (!mounted.ok() && std::string_view(type) != "mqueue") return mounted;
  }
  for (const auto& device : kDevices) {
    const std::string path = root + device.path;
    if (mknod(path.c_str(), S_IFCHR | 0666, makedev(device.major, device.minor)) != 0) {
      return error_from_errno(errno, cat("make ", device.path));
    }
    chmod(path.c_str(), 0666);
  }
  for (const auto& [link, target] : {std::pair{"/dev/fd", "/proc/self/fd"}, std::pair{"/dev/stdin", "/proc/self/fd/0"},
                                     std::pair{"/dev/stdout", "/proc/self/fd/1"},
                                     std::pair{"/dev/stderr", "/proc/self/fd/2"}, std::pair{"/dev/ptmx", "pts/ptmx"}}) {
    if (symlink(target, (root + link).c_str()) != 0 && errno != EEXIST) return error_from_errno(errno, link);
  }
  return {};
}

// Programs look there for what they may have: a JVM that finds nothing takes the machine's memory for its own.
Status mount_own_cgroup(const ContainerSpec& spec, const std::string& root) {
  const std::string target = root + "/sys/fs/cgroup";
  if (access(target.c_str(), F_OK) != 0) return {};
  const unsigned long flags = MS_NOSUID | MS_NOEXEC | MS_NODEV | (spec.privileged ? 0 : MS_RDONLY);
  const Cgroup group(Cgroup::kDefaultRoot, spec.cgroup);
  if (!group.version2()) {
    MINIK_TRY(do_mount("tmpfs", target, "tmpfs", MS_NOSUID | MS_NOEXEC | MS_NODEV, "mode=755,size=64k"));
  }
  for (const auto& view : group.views()) {
    const std::string at = group.version2() ? target : cat(target, "/", view.controller);
    mkdir(at.c_str(), 0755);
    MINIK_TRY(do_mount(view.directory, at, nullptr, MS_BIND));
    MINIK_TRY(do_mount("", at, nullptr, MS_REMOUNT | MS_BIND | flags));
  }
  if (!group.version2()) MINIK_TRY(do_mount("", target, nullptr, MS_REMOUNT | MS_BIND | flags));
  return {};
}

void hide_paths(const std::string& root) {
  for (const auto* path : kMasked) {
    const std::string target = root + path;
    struct stat info {};
    if (stat(target.c_str(), &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) {
      mount("tmpfs", target.c_str(), "tmpfs", MS_RDONLY, "size=0");
    } else {
      mount((root + "/dev/null").c_str(), target.c_str(), nullptr, MS_BIND, nullptr);
    }
  }
  for (const auto* path : kReadOnly) {
    const std::string target = root + path;
    if (mount(target.c_str(), target.c_str(), nullptr, MS_BIND | MS_REC, nullptr) != 0) continue;
    mount(nullptr, target.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NOEXEC | MS_NODEV, nullptr);
  }
}

}  // namespace

Status enter_root_filesystem(const ContainerSpec& spec, const std::string& directory) {
  const std::string root = directory + "/root";
  // Slave, not private: the machine's unmounts reach us, ours do not reach the machine.
  MINIK_TRY(do_mount("", "/", nullptr, MS_SLAVE | MS_REC));
  MINIK_TRY(make_directories(root));
  MINIK_TRY(mount_overlay(spec, directory, root));
  MINIK_TRY(mount_default_filesystems(spec, root));
  MINIK_TRY(mount_own_cgroup(spec, root));
  // Before any volume: what a volume brings to /dev or /proc must not choose what hides the paths.
  if (!spec.privileged) hide_paths(root);
  const FileDescriptor top(open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return error_from_errno(errno, "open the root filesystem");
  for (const auto& m : spec.mounts) {
    const bool live = spec.privileged || (m.shows_devices && spec.devices_confined);
    MINIK_TRY(mount_volume(m, top.get(), live ? DeviceNodes::kLive : DeviceNodes::kDead));
  }
  if (spec.read_only_root) {
    mount_attr read_only{};
    read_only.attr_set = MOUNT_ATTR_RDONLY;
    if (mount_setattr(top.get(), "", AT_EMPTY_PATH, &read_only, sizeof read_only) != 0) {
      return error_from_errno(errno, "make the root read-only");
    }
  }
  if (chdir(root.c_str()) != 0) return error_from_errno(errno, "chdir to the root filesystem");
  // pivot_root onto itself stacks the old root on the new one, from where it is let go.
  if (syscall(SYS_pivot_root, ".", ".") != 0) return error_from_errno(errno, "pivot_root");
  if (umount2(".", MNT_DETACH) != 0) return error_from_errno(errno, "leave the old root");
  if (chdir("/") != 0) return error_from_errno(errno, "chdir /");
  return {};
}

}  // namespace minik::runtime
