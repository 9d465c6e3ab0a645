#include "runtime/container/seccomp.h"

#include <sched.h>
#include <seccomp.h>

#include <cerrno>

#include "control/base/text.h"

namespace minik::runtime {

namespace {

constexpr const char* kBlocked[] = {
    "acct",           "add_key",         "bpf",               "clock_adjtime",   "clock_settime",
    "create_module",  "delete_module",   "finit_module",      "fsconfig",        "fsmount",
    "fsopen",         "fspick",          "get_kernel_syms",   "get_mempolicy",   "init_module",
    "io_uring_enter", "io_uring_register", "io_uring_setup",  "ioperm",          "iopl",
    "kcmp",           "kexec_file_load", "kexec_load",        "keyctl",          "lookup_dcookie",
    "mbind",          "mount",           "mount_setattr",     "move_mount",      "move_pages",
    "nfsservctl",     "open_by_handle_at", "open_tree",       "perf_event_open", "pivot_root",
    "query_module",   "quotactl",        "quotactl_fd",       "reboot",          "request_key",
    "set_mempolicy",  "setns",           "settimeofday",      "stime",           "swapoff",
    "swapon",         "_sysctl",         "sysfs",             "umount",          "umount2",
    "unshare",        "uselib",          "userfaultfd",       "ustat",           "vm86",
    "vm86old"};

// New namespaces by clone; clone3 hides its flags in memory, so it answers ENOSYS and libc falls back.
constexpr uint64_t kNamespaceFlags = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                     CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

}  // namespace

Status load_default_seccomp() {
  const scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (!filter) return Error(ErrorCode::kInternalError, "cannot make a system call filter");
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0);
  seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
  for (const auto* name : kBlocked) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR) seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
  }
  for (int bit = 0; bit < 32; ++bit) {
    const uint64_t flag = uint64_t{1} << bit;
    if ((kNamespaceFlags & flag) == 0) continue;
    seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                     SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag));
  }
  seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  const int result = seccomp_load(filter);
  seccomp_release(filter);
  if (result != 0) return error_from_errno(-result, "load the system call filter");
  return {};
}

}  // namespace minik::runtime
