#include "runtime/container/pause.h"

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "control/base/text.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/codec.h"
#include "runtime/container/files.h"
#include "runtime/container/program.h"
#include "runtime/container/sandbox_namespaces.h"
#include "runtime/container/seccomp.h"

extern char** environ;

namespace minik::runtime {

namespace {

constexpr std::string_view kPauseArgument = "pod-pause";
constexpr unsigned int kNobody = 65535;  // as the pause image of Kubernetes has it
constexpr int64_t kProcessesWhileMade = 16;  // two, and the dead whom nobody has buried yet
constexpr int kOomScore = -998;          // the last of a pod, as Kubernetes sets it

std::string namespace_file(const std::string& directory) { return directory + "/ns/pid"; }
std::string pid_file(const std::string& directory) { return directory + "/pause"; }

[[noreturn]] void fail(const Error& error) {
  const std::string answer = std::move(Writer().put(int64_t{0}).put(error.message)).take();
  (void)!write(kHandshakeFd, answer.data(), answer.size());
  _exit(1);
}

// The child in the new namespace.
Status become_pause(const std::string& directory, int program) {
  setsid();
  // The machine's /proc is still there and knows this process by its number outside.
  char pid[32] = {};
  if (readlink("/proc/self", pid, sizeof pid - 1) <= 0) return error_from_errno(errno, "read /proc/self");
  if (unshare(CLONE_NEWNS | CLONE_NEWCGROUP) != 0 && unshare(CLONE_NEWNS) != 0) return error_from_errno(errno, "new mount namespace");
  if (mount("", "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0) return error_from_errno(errno, "mount /");
  const std::string root = directory + "/root";
  MINIK_TRY(make_directories(root));
  if (mount("tmpfs", root.c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0555") != 0) return error_from_errno(errno, "mount an empty root");
  std::string name = "pause", argument(kPauseArgument), stage = "stay", root_argument = root;
  char* argv[] = {name.data(), argument.data(), stage.data(), root_argument.data(), pid, nullptr};
  char* nothing[] = {nullptr};
  execveat(program, "", argv, nothing, AT_EMPTY_PATH);
  return error_from_errno(errno, "run the pause program");
}

void make(const std::string& directory, const std::string& group) {
  int program_fd = -1;
  const Cgroup cgroup(Cgroup::kDefaultRoot, group);
  const auto joined = [&]() -> Status {
    // It runs from the read-only mount already (program.h).
    program_fd = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (program_fd < 0) return error_from_errno(errno, "open the pause program");
    MINIK_TRY(cgroup.create());
    (void)cgroup.set({.pids = kProcessesWhileMade}).ok();  // after one that was killed the group knows the end's limit
    MINIK_TRY(cgroup.add(0));
    (void)write_kernel_file("/proc/self/oom_score_adj", cat(kOomScore)).ok();
    MINIK_TRY(join_namespace(directory + "/ns/ipc", CLONE_NEWIPC));
    MINIK_TRY(join_namespace(directory + "/ns/uts", CLONE_NEWUTS));
    MINIK_TRY(join_namespace(directory + "/ns/net", CLONE_NEWNET));
    if (unshare(CLONE_NEWPID) != 0) return error_from_errno(errno, "new PID namespace");
    return {};
  };
  if (const auto status = joined(); !status.ok()) fail(status.error());
  const pid_t child = fork();
  if (child < 0) fail(error_from_errno(errno, "fork"));
  if (child > 0) {
    // From here on nobody else: who took the process over could not leave children that are spared when memory runs out.
    // Where the machine does not count processes, the child is held by its system call filter alone.
    (void)cgroup.set({.pids = 1}).ok();
    return;
  }
  fail(become_pause(directory, program_fd).error());
}

Status let_go(const char* root) {
  if (chdir(root) != 0 || syscall(SYS_pivot_root, ".", ".") != 0 || umount2(".", MNT_DETACH) != 0 || chdir("/") != 0 ||
      mount(nullptr, "/", nullptr, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) {
    return error_from_errno(errno, "enter an empty root");
  }
  if (setgroups(0, nullptr) != 0 || setgid(kNobody) != 0 || setuid(kNobody) != 0) return error_from_errno(errno, "give up privileges");
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NAME, "pause", 0, 0, 0);
  return load_default_seccomp({});
}

// Its arguments name directories and numbers of the machine; whoever looks shall read "pause" and nothing else.
[[noreturn]] void stay(int argc, char** argv) {
  const std::string root = argv[3], pid = argv[4];
  for (int i = 1; i < argc; ++i) explicit_bzero(argv[i], strlen(argv[i]));
  // Nobody's end is of interest: the kernel forgets the dead by itself.
  signal(SIGCHLD, SIG_IGN);
  if (const auto status = let_go(root.c_str()); !status.ok()) fail(status.error());
  const std::string answer = std::move(Writer().put(parse_int64(pid).value_or(0)).put(std::string_view())).take();
  (void)!write(kHandshakeFd, answer.data(), answer.size());
  close_range(0, ~0u, 0);
  while (true) pause();
}

}  // namespace

bool is_pause_invocation(int argc, char** argv) { return argc == 5 && argv[1] == kPauseArgument; }

int pause_main(int argc, char** argv) {
  if (std::string_view(argv[2]) == "stay") stay(argc, argv);
  make(argv[3], argv[4]);
  return 0;
}

Status start_pause(const std::string& directory, const std::string& cgroup, const OwnProgram& own) {
  int handshake[2];
  if (pipe2(handshake, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (int fd = 0; fd < 3; ++fd) posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions, handshake[1], kHandshakeFd);
  posix_spawn_file_actions_addclosefrom_np(&actions, kHandshakeFd + 1);
  std::string program = "minik", argument(kPauseArgument), stage = "make";
  std::string directory_argument = directory, cgroup_argument = cgroup;
  char* argv[] = {program.data(), argument.data(), stage.data(), directory_argument.data(), cgroup_argument.data(), nullptr};
  pid_t spawned = 0;
  const int result = posix_spawn(&spawned, own.path().c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(handshake[1]);
  std::string answer;
  char buffer[4096];
  ssize_t n = 0;
  while (result == 0 && (n = read(handshake[0], buffer, sizeof buffer)) > 0) answer.append(buffer, static_cast<size_t>(n));
  close(handshake[0]);
  if (result != 0) return error_from_errno(result, "start the pod's pause process");
  waitpid(spawned, nullptr, 0);
  Reader reader(answer);
  const int64_t pid = reader.number();
  const std::string why = reader.text();
  if (!reader.finished()) return Error(ErrorCode::kInternalError, "the pod's pause process died while starting");
  if (pid <= 0) return Error(ErrorCode::kInternalError, why).in("start the pod's pause process");
  const auto keep = [&]() -> Status {
    MINIK_TRY(write_file_atomically(pid_file(directory), cat(pid), 0600));
    MINIK_TRY(write_file_atomically(namespace_file(directory), "", 0600));
    if (mount(cat("/proc/", pid, "/ns/pid").c_str(), namespace_file(directory).c_str(), nullptr, MS_BIND, nullptr) == 0) return {};
    return error_from_errno(errno, "keep the PID namespace");
  };
  auto kept = keep();
  if (!kept.ok()) kill(static_cast<pid_t>(pid), SIGKILL);
  return kept;
}

bool shares_processes(const std::string& directory) { return access(namespace_file(directory).c_str(), F_OK) == 0; }

// The process whose number was noted, unless that is somebody else's by now.
static pid_t pause_of(const std::string& directory) {
  const auto text = read_whole_file(pid_file(directory));
  const auto pid = text ? parse_int64(*text) : std::nullopt;
  struct stat kept {}, its {};
  if (!pid || *pid <= 0 || stat(namespace_file(directory).c_str(), &kept) != 0 || stat(cat("/proc/", *pid, "/ns/pid").c_str(), &its) != 0) return 0;
  if (kept.st_ino != its.st_ino || kept.st_dev != its.st_dev) return 0;
  // One that ends, or that nobody has buried yet, keeps nothing alive: its flags say so from before it takes the others along.
  constexpr int64_t kExiting = 4;  // PF_EXITING of linux/sched.h
  const auto stat_line = read_whole_file(cat("/proc/", *pid, "/stat"));
  const size_t name_end = stat_line ? stat_line->rfind(") ") : std::string::npos;
  if (name_end == std::string::npos) return 0;
  const auto fields = split(std::string_view(*stat_line).substr(name_end + 2), ' ');  // from the third on, the state
  const bool ends = fields.size() < 7 || (parse_int64(fields[6]).value_or(kExiting) & kExiting) != 0;
  return ends ? 0 : static_cast<pid_t>(*pid);
}

bool pause_lives(const std::string& directory) { return pause_of(directory) > 0; }

Status revive_pause(const std::string& directory, const std::string& cgroup, const OwnProgram& own) {
  if (pause_lives(directory)) return {};
  stop_pause(directory);
  return start_pause(directory, cgroup, own);
}

void stop_pause(const std::string& directory) {
  if (const pid_t pid = pause_of(directory); pid > 0) kill(pid, SIGKILL);
  umount2(namespace_file(directory).c_str(), MNT_DETACH);
}

}  // namespace minik::runtime
