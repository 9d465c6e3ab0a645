#include "runtime/container/host_check.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <thread>
#include <tuple>

#include "control/base/text.h"
#include "runtime/container/files.h"

namespace minik::runtime {

namespace {

// Whether "/" is the root of the mount namespace too. Containers leave the machine's tree behind by
// pivot_root(2), which in a chroot(2) replaces the chroot only: the tree around it would stay in
// reach.
bool has_the_namespace_root() {
  bool same = true;
  std::thread worker([&] {
    using Place = std::tuple<uint64_t, uint32_t, uint32_t, uint64_t>;  // mount, device, inode
    const auto place_of_root = []() -> Place {
      struct statx root {};
      if (statx(AT_FDCWD, "/", 0, STATX_INO | STATX_MNT_ID, &root) != 0) return {};
      return {root.stx_mnt_id, root.stx_dev_major, root.stx_dev_minor, root.stx_ino};
    };
    const Place ours = place_of_root();
    const int fd = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC);
    // To enter a mount namespace, even one's own, is to stand at its root.
    if (fd >= 0 && unshare(CLONE_FS) == 0 && setns(fd, CLONE_NEWNS) == 0)
      same = place_of_root() == ours;
    if (fd >= 0) close(fd);
  });
  worker.join();
  return same;
}

}  // namespace

std::vector<HostProblem> check_host() {
  std::vector<HostProblem> problems;
  if (geteuid() != 0) {
    problems.push_back(
        {"containers need root",
         "run minik as root (sudo minik start); running as an ordinary user is not there yet"});
  }
  if (geteuid() == 0 && !has_the_namespace_root()) {
    problems.push_back(
        {"this is a chroot, and what runs in its containers could leave it",
         "enter the folder by pivot_root instead, as systemd-nspawn and containers do"});
  }
  const auto filesystems = read_whole_file("/proc/filesystems");
  if (!filesystems) {
    problems.push_back({"there is no /proc", "mount -t proc proc /proc"});
  } else if (filesystems->find("overlay") == std::string::npos) {
    problems.push_back(
        {"the kernel has no overlayfs", "modprobe overlay, or a kernel with CONFIG_OVERLAY_FS"});
  }
  mount_attr nothing{};
  if (mount_setattr(-1, "", AT_EMPTY_PATH, &nothing, sizeof nothing) != 0 && errno == ENOSYS) {
    problems.push_back({"the kernel has no mount_setattr", "a kernel of version 5.12 or newer"});
  }
  for (const auto* ns : {"pid", "ipc", "uts", "net", "mnt"}) {
    if (access(cat("/proc/self/ns/", ns).c_str(), F_OK) != 0) {
      problems.push_back(
          {cat("the kernel has no ", ns, " namespaces"), "a kernel with namespaces enabled"});
    }
  }
  return problems;
}

}  // namespace minik::runtime
