#include "runtime/network/network_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "control/base/text.h"
#include "runtime/network/netlink.h"

namespace minik::runtime {

namespace {
constexpr long kNsfsMagic = 0x6e736673;
}

bool is_network_namespace(const std::string& path) {
  struct statfs info {};
  return statfs(path.c_str(), &info) == 0 && info.f_type == kNsfsMagic;
}

Status create_network_namespace(const std::string& path) {
  if (is_network_namespace(path)) return {};
  Status status;
  std::thread worker([&] {
    const auto make = [&]() -> Status {
      if (unshare(CLONE_NEWNET) != 0)
        return error_from_errno(errno, "new network namespace (is this root?)");
      const int fd = open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0) return error_from_errno(errno, cat("create ", path));
      close(fd);
      if (mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
        return error_from_errno(errno, cat("keep network namespace ", path));
      }
      MINIK_ASSIGN(const auto netlink, Netlink::open());
      return netlink->set_up("lo");
    };
    status = make();
  });
  worker.join();
  return status;
}

Status remove_network_namespace(const std::string& path) {
  if (umount2(path.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT) {
    return error_from_errno(errno, cat("release network namespace ", path));
  }
  unlink(path.c_str());
  return {};
}

Status run_in_network_namespace(const std::string& path, const std::function<Status()>& work) {
  Status status;
  std::thread worker([&] {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
      status = error_from_errno(errno, cat("open ", path));
      return;
    }
    const int entered = setns(fd, CLONE_NEWNET);
    const int error = errno;
    close(fd);
    status = entered == 0 ? work() : Status(error_from_errno(error, cat("enter ", path)));
  });
  worker.join();
  return status;
}

}  // namespace minik::runtime
