#include "runtime/container/seccomp.h"

#include <sched.h>
#include <seccomp.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "control/base/text.h"

namespace minik::runtime {

namespace {

struct Blocked {
  const char* name;
  const char* unless = "";  // a capability whose owner may
  const char* or_unless = "";
};

constexpr Blocked kBlocked[] = {
    {"add_key"}, {"clock_adjtime"}, {"create_module"}, {"get_kernel_syms"}, {"io_uring_enter"},
    {"io_uring_register"}, {"io_uring_setup"}, {"kexec_file_load"}, {"kexec_load"}, {"keyctl"},
    {"migrate_pages"}, {"move_pages"}, {"nfsservctl"}, {"query_module"}, {"request_key"}, {"swapoff"},
    {"swapon"}, {"_sysctl"}, {"sysfs"}, {"uselib"}, {"userfaultfd"}, {"ustat"}, {"vm86"}, {"vm86old"},
    {"acct", "CAP_SYS_PACCT"},
    {"bpf", "CAP_SYS_ADMIN", "CAP_BPF"},
    {"clock_settime", "CAP_SYS_TIME"}, {"clock_settime64", "CAP_SYS_TIME"},
    {"settimeofday", "CAP_SYS_TIME"}, {"stime", "CAP_SYS_TIME"},
    {"delete_module", "CAP_SYS_MODULE"}, {"finit_module", "CAP_SYS_MODULE"}, {"init_module", "CAP_SYS_MODULE"},
    {"fanotify_init", "CAP_SYS_ADMIN"}, {"fsconfig", "CAP_SYS_ADMIN"}, {"fsmount", "CAP_SYS_ADMIN"},
    {"fsopen", "CAP_SYS_ADMIN"}, {"fspick", "CAP_SYS_ADMIN"}, {"lookup_dcookie", "CAP_SYS_ADMIN"},
    {"mount", "CAP_SYS_ADMIN"}, {"mount_setattr", "CAP_SYS_ADMIN"}, {"move_mount", "CAP_SYS_ADMIN"},
    {"open_tree", "CAP_SYS_ADMIN"}, {"pivot_root", "CAP_SYS_ADMIN"}, {"quotactl", "CAP_SYS_ADMIN"},
    {"quotactl_fd", "CAP_SYS_ADMIN"}, {"setdomainname", "CAP_SYS_ADMIN"}, {"sethostname", "CAP_SYS_ADMIN"},
    {"setns", "CAP_SYS_ADMIN"}, {"umount", "CAP_SYS_ADMIN"}, {"umount2", "CAP_SYS_ADMIN"},
    {"unshare", "CAP_SYS_ADMIN"},
    {"get_mempolicy", "CAP_SYS_NICE"}, {"mbind", "CAP_SYS_NICE"}, {"set_mempolicy", "CAP_SYS_NICE"},
    {"set_mempolicy_home_node", "CAP_SYS_NICE"},
    {"ioperm", "CAP_SYS_RAWIO"}, {"iopl", "CAP_SYS_RAWIO"},
    {"kcmp", "CAP_SYS_PTRACE"}, {"pidfd_getfd", "CAP_SYS_PTRACE"}, {"process_madvise", "CAP_SYS_PTRACE"},
    {"open_by_handle_at", "CAP_DAC_READ_SEARCH"},
    {"perf_event_open", "CAP_SYS_ADMIN", "CAP_PERFMON"},
    {"reboot", "CAP_SYS_BOOT"},
    {"syslog", "CAP_SYSLOG", "CAP_SYS_ADMIN"},
    {"vhangup", "CAP_SYS_TTY_CONFIG"},
};

// New namespaces by clone; clone3 hides its flags in memory, so it answers ENOSYS and libc falls back.
constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

Result<scmp_filter_ctx> new_filter() {
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (!filter) return Error(ErrorCode::kInternalError, "cannot make a system call filter");
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
#ifdef __x86_64__
  // Without it every 32-bit program is killed at its first call.
  seccomp_arch_add(filter, SCMP_ARCH_X86);
#endif
  return filter;
}

Status load(scmp_filter_ctx filter) {
  const int result = seccomp_load(filter);
  seccomp_release(filter);
  if (result != 0) return error_from_errno(-result, "load the system call filter");
  return {};
}

}  // namespace

Status load_device_filter() {
  MINIK_ASSIGN(const scmp_filter_ctx filter, new_filter());
  constexpr uint64_t kKind = S_IFMT;
  for (const auto device : {uint64_t{S_IFCHR}, uint64_t{S_IFBLK}}) {
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mknod), 1, SCMP_A1(SCMP_CMP_MASKED_EQ, kKind, device));
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(mknodat), 1, SCMP_A2(SCMP_CMP_MASKED_EQ, kKind, device));
  }
  return load(filter);
}

Status load_default_seccomp(const std::vector<std::string>& capabilities) {
  MINIK_ASSIGN(const scmp_filter_ctx filter, new_filter());
  const auto may = [&](std::string_view name) { return std::ranges::find(capabilities, name) != capabilities.end(); };
  for (const auto& call : kBlocked) {
    if (may(call.unless) || may(call.or_unless)) continue;
    // A call that this machine has not is not an error.
    const int number = seccomp_syscall_resolve_name(call.name);
    if (number != __NR_SCMP_ERROR) seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
  }
  if (!may("CAP_SYS_ADMIN")) {
    for (int bit = 0; bit < 32; ++bit) {
      const uint64_t flag = uint64_t{1} << bit;
      if ((kNamespaceFlags & flag) == 0) continue;
      seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                       SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
    }
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  }
  return load(filter);
}

}  // namespace minik::runtime
