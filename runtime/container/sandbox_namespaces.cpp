#include "runtime/container/sandbox_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "control/base/text.h"
#include "runtime/container/files.h"
#include "runtime/container/pause.h"

namespace minik::runtime {

Status join_namespace(const std::string& path, int type) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return error_from_errno(errno, cat("open namespace ", path));
  const int result = setns(fd, type);
  const int error = errno;
  close(fd);
  return result == 0 ? Status() : Status(error_from_errno(error, cat("join namespace ", path)));
}

namespace {

// On the thread that is in the sandbox's namespaces. Only names that belong to one of them: any
// other, or one of a namespace that is the machine's, would change the machine.
Status set_sysctls(const SandboxConfig& config) {
  if (!config.network_namespace.empty()) {
    MINIK_TRY(join_namespace(config.network_namespace, CLONE_NEWNET));
    // A pod's ports are its own, low ones too, and whoever runs in it may ping. A machine that does not let them be set
    // keeps its own.
    (void)write_kernel_file("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0").ok();
    (void)write_kernel_file("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").ok();
  }
  for (const auto& [name, value] : config.sysctls) {
    const bool of_ipc = name.starts_with("kernel.shm") || name.starts_with("kernel.msg") ||
                        name == "kernel.sem" || name.starts_with("fs.mqueue.");
    const bool of_net = name.starts_with("net.");
    if (!(of_ipc && !config.host_ipc) && !(of_net && !config.network_namespace.empty())) {
      return Error(ErrorCode::kInvalid,
                   cat("sysctl ", minik::quoted(name), " is not one of the pod's own namespaces"));
    }
    std::string path = "/proc/sys/";
    for (const char c : name) path += c == '.' ? '/' : c;
    if (path.find("//") != std::string::npos)
      return Error(ErrorCode::kInvalid, cat("sysctl ", minik::quoted(name), " is no name"));
    MINIK_TRY(write_kernel_file(path, value));
  }
  return {};
}

}  // namespace

// Makes IPC and UTS namespaces on a thread of its own and binds them to files; a thread may leave
// its namespaces without the process noticing.
Status make_namespaces(const std::string& sandbox_directory, const SandboxConfig& config, const std::string& cgroup,
                       const OwnProgram& program) {
  const std::string directory = sandbox_directory + "/ns";
  MINIK_TRY(make_directories(directory, 0700));
  Status status;
  std::thread worker([&] {
    const auto bind = [&](const char* name, const std::string& source) -> Status {
      const std::string target = cat(directory, "/", name);
      const int fd = open(target.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
      if (fd < 0) return error_from_errno(errno, cat("create ", target));
      close(fd);
      if (mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) != 0) {
        return error_from_errno(errno, cat("keep the ", name, " namespace"));
      }
      return {};
    };
    const auto make = [&]() -> Status {
      const int flags = CLONE_NEWUTS | (config.host_ipc ? 0 : CLONE_NEWIPC);
      if (unshare(flags) != 0) return error_from_errno(errno, "new namespaces (is this root?)");
      if (sethostname(config.hostname.c_str(), config.hostname.size()) != 0)
        return error_from_errno(errno, "set host name");
      MINIK_TRY(bind("uts", "/proc/thread-self/ns/uts"));
      MINIK_TRY(bind("ipc", "/proc/thread-self/ns/ipc"));
      MINIK_TRY(bind("net", config.network_namespace.empty() ? "/proc/thread-self/ns/net"
                                                             : config.network_namespace));
      return set_sysctls(config);
    };
    status = make();
  });
  worker.join();
  if (status.ok() && config.share_processes) return start_pause(sandbox_directory, cgroup + "/pause", program);
  return status;
}

}  // namespace minik::runtime
