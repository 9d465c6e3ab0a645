// Real containers from a busybox root filesystem. Skips where it is not root or busybox is missing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <thread>

#include "control/base/text.h"
#include "runtime/container/capabilities.h"
#include "runtime/container/engine.h"
#include "runtime/container/files.h"
#include "runtime/container/pause.h"
#include "runtime/container/seccomp_profile.h"
#include "runtime/container/shim.h"

namespace minik::runtime {
namespace {

class ContainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: containers need root";
    if (access("/bin/busybox", X_OK) != 0) GTEST_SKIP() << "SKIPPED: busybox-static is not installed";
    char path[] = "/tmp/minik-container-XXXXXX";
    directory = mkdtemp(path);
    ASSERT_TRUE(make_directories(directory + "/rootfs/bin").ok());
    for (const auto* folder : {"etc", "tmp"}) ASSERT_TRUE(make_directories(directory + "/rootfs/" + folder).ok());
    std::filesystem::copy_file("/bin/busybox", directory + "/rootfs/bin/busybox");
    for (const auto* tool : {"sh", "sleep", "cat", "echo", "hostname", "mount", "id", "dd", "ps", "kill", "grep", "ls", "mkdir", "tr"}) {
      std::filesystem::create_symlink("busybox", directory + "/rootfs/bin/" + tool);
    }
    open();
  }
  void TearDown() override {
    if (!engine) return;
    for (const auto& sandbox : engine->sandboxes()) EXPECT_TRUE(engine->remove_sandbox(sandbox.config.id).ok());
    engine.reset();
    EXPECT_TRUE(Cgroup(Cgroup::kDefaultRoot, prefix()).remove().ok());
    EXPECT_TRUE(remove_mounted_tree(directory).ok());
  }

  std::string prefix() const { return cat("minik-test-", getpid()); }

  void open(EngineLimits limits = {}) {
    auto opened = Engine::open(
        directory + "/state", prefix(),
        [this](const std::string&, const std::string& id) {
          const std::lock_guard lock(mutex);
          exited.push_back(id);
          changed.notify_all();
        },
        limits);
    ASSERT_TRUE(opened) << opened.error().message;
    engine = *std::move(opened);
  }

  void make_sandbox(const std::string& id, bool share_processes = false) {
    SandboxConfig config;
    config.id = id;
    config.share_processes = share_processes;
    config.hostname = "pod-host";
    const auto made = engine->create_sandbox(config);
    ASSERT_TRUE(made.ok()) << made.error().message;
  }

  ContainerSpec spec(const std::string& id, std::vector<std::string> args) {
    ContainerSpec s;
    s.id = id;
    s.args = std::move(args);
    s.lower_directories = {directory + "/rootfs"};
    s.capabilities = *capability_set({}, {}, false);
    s.log_path = cat(directory, "/logs/", id, ".log");
    return s;
  }

  Result<ContainerInfo> run(ContainerSpec s) {
    const std::string id = s.id;
    MINIK_TRY(engine->create_container("s", std::move(s), {}));
    return engine->start_container(id);
  }

  void wait_for_exit(const std::string& id) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] {
      return std::find(exited.begin(), exited.end(), id) != exited.end();
    }));
  }

  // Runs to the end and gives what it wrote.
  std::string output_of(ContainerSpec s) {
    const std::string id = s.id, log = s.log_path;
    const auto started = run(std::move(s));
    EXPECT_TRUE(started) << started.error().message;
    if (started && started->phase == ContainerPhase::kRunning) wait_for_exit(id);
    std::string out;
    const auto text = read_whole_file(log);
    EXPECT_TRUE(text);
    for (const auto line : split(text ? std::string_view(*text) : std::string_view(), '\n')) {
      const auto fields = split(line, ' ');
      if (fields.size() > 3) out += cat(line.substr(fields[0].size() + fields[1].size() + fields[2].size() + 3), "\n");
    }
    return out;
  }

  static pid_t shim_of(const ContainerInfo& container) {
    const auto status = *read_whole_file(cat("/proc/", container.pid, "/status"));
    const auto line = status.substr(status.find("PPid:") + 5);
    const auto shim = parse_int64(trim(line.substr(0, line.find('\n'))));
    EXPECT_TRUE(shim && *shim > 1);
    return static_cast<pid_t>(shim.value_or(0));
  }

  // What a command in the container writes, or why it does not run.
  std::string exec_output(const std::string& id, const std::vector<std::string>& args) {
    int out[2];
    EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    const auto session = engine->exec(id, args, false, null, out[1], null);
    close(out[1]);
    close(null);
    std::string text = session ? "" : session.error().message;
    char buffer[256];
    ssize_t n = 0;
    while ((n = read(out[0], buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    close(out[0]);
    if (session) close(session->connection);
    return text;
  }

  std::string directory;
  std::unique_ptr<Engine> engine;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> exited;
};

TEST_F(ContainerTest, RunsAProgramInNamespacesOfItsOwn) {
  make_sandbox("s");
  const std::string out = output_of(spec("c", {"sh", "-c", "hostname; echo pid $$; id -u; cat /proc/1/comm; true"}));
  EXPECT_EQ(out, "pod-host\npid 1\n0\nsh\n");
  const auto info = engine->container("c");
  ASSERT_TRUE(info);
  EXPECT_EQ(info->phase, ContainerPhase::kExited);
  EXPECT_EQ(info->exit_code, 0);
}

TEST_F(ContainerTest, TellsExitCodesAndSignals) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("seven", {"sh", "-c", "exit 7"})));
  wait_for_exit("seven");
  EXPECT_EQ(engine->container("seven")->exit_code, 7);
  ASSERT_TRUE(run(spec("killed", {"sleep", "100"})));
  ASSERT_TRUE(engine->signal_container("killed", SIGKILL).ok());
  wait_for_exit("killed");
  EXPECT_EQ(engine->container("killed")->exit_code, 137);
  EXPECT_EQ(engine->container("killed")->signal, SIGKILL);
}

TEST_F(ContainerTest, SharesProcessesWhereThePodSaysSo) {
  make_sandbox("s", true);
  ASSERT_TRUE(run(spec("first", {"sh", "-c", "sleep 4242; true"})));
  EXPECT_EQ(output_of(spec("look", {"sh", "-c", "cat /proc/1/comm; ps -o args | grep -c '^sleep 4242'"})), "pause\n1\n");
  // An engine that is opened again finds the namespace.
  engine.reset();
  open();
  EXPECT_TRUE(engine->sandboxes()[0].ready);
  EXPECT_EQ(output_of(spec("again", {"sh", "-c", "ps -o args | grep -c '^sleep 4242'"})), "1\n");
  // Neither what a container leaves running nor what it leaves dead stays.
  ASSERT_TRUE(engine->signal_container("first", SIGKILL).ok());
  wait_for_exit("first");
  EXPECT_EQ(output_of(spec("orphans", {"sh", "-c", "(sleep 0 &); (true &); true"})), "");
  EXPECT_EQ(output_of(spec("after", {"sh", "-c", "ps -o stat,args | grep -c -e '^Z' -e 'sleep 4242$'; true"})), "0\n");
}

TEST_F(ContainerTest, ShowsNothingOfTheMachineThroughThePauseProcess) {
  make_sandbox("s", true);
  auto curious = spec("c", {"sh", "-c", "ls -A /proc/1/root; cat /proc/1/environ; ls /proc/1/fd; cat /proc/1/cmdline | tr -d '\\0'; echo; "
                                        "grep Seccomp: /proc/1/status; (echo x >/proc/1/exe) 2>/dev/null || echo read-only; "
                                        "kill -9 1; kill -15 1; cat /proc/1/comm"});
  curious.capabilities = *capability_set({"SYS_PTRACE"}, {}, false);
  EXPECT_EQ(output_of(std::move(curious)), "pause\nSeccomp:\t2\nread-only\npause\n");
  const Cgroup group(Cgroup::kDefaultRoot, prefix() + "/s/pause");
  const auto most = read_whole_file(cat(Cgroup::kDefaultRoot, group.version2() ? "" : "/pids", "/", prefix(), "/s/pause/pids.max"));
  EXPECT_TRUE(!most || *most == "1\n") << "a child of it, whose memory would be spared: " << *most;
}

TEST_F(ContainerTest, LeavesNothingOfASandboxThatWasHalfMade) {
  make_sandbox("s", true);
  engine.reset();
  ASSERT_EQ(unlink((directory + "/state/sandboxes/s/config").c_str()), 0);
  open();
  EXPECT_TRUE(engine->sandboxes().empty());
  EXPECT_FALSE(std::filesystem::exists(directory + "/state/sandboxes/s"));
  EXPECT_TRUE(Cgroup(Cgroup::kDefaultRoot, prefix() + "/s/pause").members().empty());
  const Cgroup group(Cgroup::kDefaultRoot, prefix() + "/s");
  EXPECT_FALSE(std::filesystem::exists(cat(Cgroup::kDefaultRoot, group.version2() ? "" : "/memory", "/", prefix(), "/s")));
}

TEST_F(ContainerTest, SharesProcessesAgainAfterThePauseProcessWasKilled) {
  make_sandbox("s", true);
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  const auto pid = read_whole_file(directory + "/state/sandboxes/s/pause");
  ASSERT_TRUE(pid);
  ASSERT_EQ(kill(static_cast<pid_t>(parse_int64(*pid).value_or(0)), SIGKILL), 0);
  wait_for_exit("c");
  EXPECT_EQ(output_of(spec("next", {"cat", "/proc/1/comm"})), "pause\n");
}

TEST_F(ContainerTest, EndsAllProcessesWithASharedSandbox) {
  make_sandbox("s", true);
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  ASSERT_TRUE(engine->stop_sandbox("s").ok());
  wait_for_exit("c");
  const Cgroup pause(Cgroup::kDefaultRoot, prefix() + "/s/pause");
  for (int i = 0; i < 200 && !pause.members().empty(); ++i) usleep(5000);
  EXPECT_TRUE(pause.members().empty());
}

TEST_F(ContainerTest, BlocksWhatTouchesTheMachine) {
  make_sandbox("s");
  const std::string out = output_of(
      spec("c", {"sh", "-c", "mount -t tmpfs x /tmp 2>&1; echo x > /proc/sysrq-trigger || echo kept; cat /proc/self/status"}));
  EXPECT_NE(out.find("ermission denied"), std::string::npos) << out;  // or "Operation not permitted"
  EXPECT_NE(out.find("kept"), std::string::npos);
  EXPECT_NE(out.find("Seccomp:\t2"), std::string::npos) << out;
  EXPECT_NE(out.find("CapEff:\t00000000a80425fb"), std::string::npos) << out;
}

TEST_F(ContainerTest, FiltersSystemCallsAsAProfileOfTheUsersSays) {
  make_sandbox("s");
  const auto profile = parse_seccomp_profile(
      R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 28},
          {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}]}]})");
  ASSERT_TRUE(profile) << profile.error().message;
  for (const bool privileges_may_grow : {true, false}) {
    auto filtered = spec(privileges_may_grow ? "early" : "late", {"sh", "-c", "mkdir /tmp/a 2>&1; kill -0 1 2>&1; kill -CONT 1 && echo continued"});
    filtered.seccomp_profile = encode_seccomp_profile(*profile);
    filtered.no_new_privileges = !privileges_may_grow;
    filtered.user = "1000";
    const std::string out = output_of(std::move(filtered));
    EXPECT_NE(out.find("No space left on device"), std::string::npos) << out;
    EXPECT_NE(out.find("Operation not permitted"), std::string::npos) << out;
    EXPECT_NE(out.find("continued"), std::string::npos) << out;
  }
}

TEST(SeccompProfile, NamesWhatItCannotDo) {
  const auto why = [](const char* json) { return parse_seccomp_profile(json).error().message; };
  EXPECT_EQ(why(R"({"defaultAction": "SCMP_ACT_NOTIFY"})"),
            "seccomp profile: defaultAction: SCMP_ACT_NOTIFY needs a supervisor, which there is not: use SCMP_ACT_ERRNO");
  EXPECT_EQ(why("{}"), "seccomp profile: defaultAction: no action \"\"");
  EXPECT_EQ(why(R"({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["read"], "action": "SCMP_ACT_LOG", "args": [{"index": 6, "op": "SCMP_CMP_EQ"}]}]})"),
            "seccomp profile: syscalls[0].args[0].index: must be a whole number from 0 to 5");
  EXPECT_EQ(why(R"({"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_VAX"]})"),
            "seccomp profile: architectures: no architecture \"SCMP_ARCH_VAX\"");
}

TEST_F(ContainerTest, NamesAProgramThatIsNotThere) {
  make_sandbox("s");
  const auto started = run(spec("c", {"no-such-program"}));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "exec: \"no-such-program\": executable file not found in $PATH");
}

TEST_F(ContainerTest, EndsAContainerThatTakesTooMuchMemory) {
  make_sandbox("s");
  auto s = spec("c", {"sh", "-c", "dd if=/dev/zero of=/dev/shm/x bs=1M count=60; exit $?"});
  s.memory_limit_bytes = 16 << 20;
  ASSERT_TRUE(run(std::move(s)));
  wait_for_exit("c");
  const auto info = engine->container("c");
  if (info->exit_code == 0) GTEST_SKIP() << "SKIPPED: no memory controller here";
  EXPECT_EQ(info->exit_code, 137);
  EXPECT_TRUE(info->out_of_memory);
}

TEST_F(ContainerTest, ExecsInsideWithItsOwnExitCode) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  int out[2];
  ASSERT_EQ(pipe(out), 0);
  const int null = ::open("/dev/null", O_RDWR);
  const auto session = engine->exec("c", {"sh", "-c", "hostname; cat /proc/1/comm; exit 3"}, false, null, out[1], null);
  ASSERT_TRUE(session) << session.error().message;
  close(out[1]);
  std::string text;
  char buffer[256];
  ssize_t n = 0;
  while ((n = read(out[0], buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  EXPECT_EQ(text, "pod-host\nsleep\n");
  EXPECT_EQ(*Engine::wait_exec(*session), 3);
  close(session->connection);
  close(out[0]);
  EXPECT_EQ(engine->exec("c", {"nope"}, false, null, null, null).error().message,
            "exec: \"nope\": executable file not found in $PATH");
  close(null);
}

TEST_F(ContainerTest, AdoptsRunningContainersAndNoticesWhatEndedMeanwhile) {
  make_sandbox("s");
  const auto first = run(spec("stays", {"sleep", "100"}));
  ASSERT_TRUE(first);
  ASSERT_TRUE(run(spec("ends", {"sh", "-c", "sleep 0.3; exit 5"})));
  engine.reset();  // as a crash: the shims go on
  usleep(600'000);
  open();
  EXPECT_EQ(engine->container("stays")->phase, ContainerPhase::kRunning);
  EXPECT_EQ(engine->container("stays")->pid, first->pid);
  EXPECT_EQ(engine->container("ends")->phase, ContainerPhase::kExited);
  EXPECT_EQ(engine->container("ends")->exit_code, 5);
  ASSERT_TRUE(engine->signal_container("stays", SIGTERM).ok());
  ASSERT_TRUE(engine->signal_container("stays", SIGKILL).ok());
  wait_for_exit("stays");
}

TEST_F(ContainerTest, SplitsLongLinesAndMarksTheirParts) {
  make_sandbox("s");
  auto s = spec("c", {"sh", "-c", "dd if=/dev/zero bs=20000 count=1 2>/dev/null | busybox tr '\\000' 'x'; echo"});
  const std::string log = s.log_path;
  ASSERT_TRUE(run(std::move(s)));
  wait_for_exit("c");
  const std::string text = *read_whole_file(log);
  EXPECT_NE(text.find(" stdout P xxx"), std::string::npos);
  EXPECT_NE(text.find(" stdout F xxx"), std::string::npos);
}

TEST_F(ContainerTest, RefusesAnImageWhoseDevLeadsToTheMachine) {
  make_sandbox("s");
  ASSERT_TRUE(make_directories(directory + "/elsewhere").ok());
  std::filesystem::create_directory_symlink(directory + "/elsewhere", directory + "/rootfs/dev");
  const auto started = run(spec("c", {"echo", "never"}));
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().message, "the image's /dev is a link: make it a directory");
  EXPECT_TRUE(std::filesystem::is_empty(directory + "/elsewhere"));
}

TEST_F(ContainerTest, RunsAsTheUserThatTheImageNames) {
  make_sandbox("s");
  ASSERT_TRUE(write_file_atomically(directory + "/rootfs/etc/passwd", "app:x:1000:1001::/home/app:/bin/sh\n", 0644).ok());
  ASSERT_TRUE(write_file_atomically(directory + "/rootfs/etc/group", "web:x:2000:\nextra:x:3000:app\n", 0644).ok());
  auto named = spec("named", {"sh", "-c", "id -u; id -G; echo $HOME; echo again > /dev/stdout; cat /proc/self/status"});
  named.user = "app";
  named.supplementary_groups = {4000};
  const std::string out = output_of(std::move(named));
  EXPECT_TRUE(out.starts_with("1000\n1001 3000 4000\n/home/app\nagain\n")) << out;
  EXPECT_NE(out.find("CapEff:\t0000000000000000"), std::string::npos) << out;
  auto grouped = spec("grouped", {"id", "-g"});
  grouped.user = "1000:web";
  EXPECT_EQ(output_of(std::move(grouped)), "2000\n");
}

TEST_F(ContainerTest, NeverTakesAnUnknownUserForRoot) {
  make_sandbox("s");
  const auto refusal = [&](const std::string& id, const std::string& user) {
    auto s = spec(id, {"id"});
    s.user = user;
    const auto started = run(std::move(s));
    return started ? std::string("started") : started.error().message;
  };
  EXPECT_EQ(refusal("a", "nobody-here"), "unable to find user nobody-here: no matching entries in passwd file");
  EXPECT_EQ(refusal("b", "1000:none"), "unable to find group none: no matching entries in group file");
  EXPECT_EQ(refusal("c", "4294967296"), "user 4294967296 is beyond 2147483647");
}

TEST_F(ContainerTest, FiltersCallsByTheCapabilitiesGiven) {
  make_sandbox("s");
  auto s = spec("c", {"sh", "-c", "mount -t tmpfs x /tmp && echo mounted"});
  s.capabilities = *capability_set({"SYS_ADMIN"}, {}, false);
  EXPECT_EQ(output_of(std::move(s)), "mounted\n");
}

TEST_F(ContainerTest, KeepsReadOnlyWhatIsSaidToBe) {
  make_sandbox("s");
  ASSERT_TRUE(make_directories(directory + "/volume").ok());
  auto s = spec("c", {"sh", "-c", "exec 2>&1; echo x > /file; echo x > /volume/file; echo x > /scratch/file && cat /scratch/file"});
  s.read_only_root = true;
  s.mounts.resize(2);
  s.mounts[0].type = "bind";
  s.mounts[0].source = directory + "/volume";
  s.mounts[0].target = "/volume";
  s.mounts[0].read_only = true;
  s.mounts[1].type = "tmpfs";
  s.mounts[1].target = "/scratch";
  EXPECT_EQ(output_of(std::move(s)), "sh: can't create /file: Read-only file system\n"
                                     "sh: can't create /volume/file: Read-only file system\nx\n");
  EXPECT_TRUE(std::filesystem::is_empty(directory + "/volume"));
}

TEST_F(ContainerTest, WritesItsLimits) {
  if (Cgroup(Cgroup::kDefaultRoot, "").version2()) GTEST_SKIP() << "SKIPPED: reads version 1 files";
  make_sandbox("s");
  auto s = spec("c", {"sleep", "100"});
  s.memory_limit_bytes = 32 << 20;
  s.cpu_shares = 512;
  s.cpu_quota_us = 50'000;
  s.pids_limit = 20;
  s.oom_score_adj = 900;
  const auto started = run(std::move(s));
  ASSERT_TRUE(started) << started.error().message;
  const auto limit = [&](const char* controller, const char* file) {
    const auto text = read_whole_file(cat("/sys/fs/cgroup/", controller, "/", prefix(), "/s/c/", file));
    return text ? std::string(trim(*text)) : std::string("?");
  };
  EXPECT_EQ(limit("memory", "memory.limit_in_bytes"), "33554432");
  EXPECT_EQ(limit("cpu", "cpu.shares"), "512");
  EXPECT_EQ(limit("cpu", "cpu.cfs_quota_us"), "50000");
  EXPECT_EQ(limit("pids", "pids.max"), "20");
  EXPECT_EQ(*read_whole_file(cat("/proc/", started->pid, "/oom_score_adj")), "900\n");
  EXPECT_EQ(engine->stats("c")->pids, 1);
}

TEST_F(ContainerTest, EndsAllThatAnExecStartedWhenItsCallerLeaves) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  int out[2];
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const auto session = engine->exec("c", {"sh", "-c", "sleep 90 & echo started; sleep 90; true"}, false, null, out[1], null);
  ASSERT_TRUE(session) << session.error().message;
  close(out[1]);
  char buffer[64];
  ASSERT_EQ(read(out[0], buffer, sizeof buffer), 8);
  close(session->connection);
  // Both sleeps hold the pipe: its end says that neither is left.
  EXPECT_EQ(read(out[0], buffer, sizeof buffer), 0);
  EXPECT_EQ(engine->container("c")->phase, ContainerPhase::kRunning);
  close(out[0]);
  close(null);
}

TEST_F(ContainerTest, StaysInReachWhileNobodyReadsItsInput) {
  make_sandbox("s");
  auto s = spec("c", {"sleep", "100"});
  s.stdin_open = true;
  ASSERT_TRUE(run(std::move(s)));
  int in[2];
  ASSERT_EQ(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
  ASSERT_TRUE(engine->attach("c", in[0], -1, -1).ok());
  close(in[0]);
  const std::string flood(1 << 16, 'x');
  pollfd writable{in[1], POLLOUT, 0};
  while (poll(&writable, 1, 300) == 1 && write(in[1], flood.data(), flood.size()) > 0) {
  }
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
  EXPECT_EQ(engine->container("c")->exit_code, 137);
  close(in[1]);
}

TEST_F(ContainerTest, EndsAnInputThatIsOpenOnceWithItsFirstGuest) {
  make_sandbox("s");
  auto s = spec("c", {"cat"});
  s.stdin_open = s.stdin_once = true;
  const std::string log = s.log_path;
  ASSERT_TRUE(run(std::move(s)));
  int in[2];
  ASSERT_EQ(pipe2(in, O_CLOEXEC), 0);
  ASSERT_TRUE(engine->attach("c", in[0], -1, -1).ok());
  close(in[0]);
  ASSERT_EQ(write(in[1], "hello\n", 6), 6);
  close(in[1]);
  wait_for_exit("c");
  EXPECT_NE(read_whole_file(log)->find(" stdout F hello\n"), std::string::npos);
}

TEST_F(ContainerTest, GivesAnExecATerminalOfTheSizeAskedForWithANameInTheContainer) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  const auto terminal = engine->open_terminal("c");
  ASSERT_TRUE(terminal) << terminal.error().message;
  winsize size{};
  size.ws_row = 33;
  size.ws_col = 77;
  ASSERT_EQ(ioctl(terminal->master, TIOCSWINSZ, &size), 0);
  const auto session = engine->exec("c", {"busybox", "sh", "-c", "stty size; busybox tty"}, true, terminal->slave,
                                    terminal->slave, terminal->slave);
  ASSERT_TRUE(session) << session.error().message;
  close(terminal->slave);
  EXPECT_EQ(*Engine::wait_exec(*session), 0);
  std::string text;
  char buffer[64];
  ssize_t n = 0;
  while ((n = read(terminal->master, buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  EXPECT_EQ(text, "33 77\r\n/dev/pts/0\r\n");
  close(session->connection);
  close(terminal->master);
}

TEST_F(ContainerTest, GivesAContainerATerminalOfItsOwn) {
  make_sandbox("s");
  auto wanted = spec("c", {"busybox", "tty"});
  wanted.terminal = true;
  wanted.log_path = directory + "/log";
  ASSERT_TRUE(run(wanted));
  wait_for_exit("c");
  EXPECT_NE(read_whole_file(directory + "/log")->find("/dev/pts/0"), std::string::npos);
}

TEST_F(ContainerTest, CountsAContainerWhoseShimWasKilledAsKilled) {
  make_sandbox("s");
  const auto started = run(spec("c", {"sleep", "100"}));
  ASSERT_TRUE(started);
  ASSERT_EQ(kill(shim_of(*started), SIGKILL), 0);
  wait_for_exit("c");
  EXPECT_EQ(engine->container("c")->exit_code, 137);
  EXPECT_FALSE(engine->start_container("c"));  // and is not started a second time
}

TEST_F(ContainerTest, StaysInReachWhileItWritesWithoutEnd) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"busybox", "yes"})));
  EXPECT_EQ(exec_output("c", {"echo", "reached"}), "reached\n");
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
}

TEST_F(ContainerTest, IsEndedBySigkillEvenWhenItsShimDoesNotAnswer) {
  engine.reset();
  open({.answer = milliseconds(100)});
  make_sandbox("s");
  const auto started = run(spec("c", {"sleep", "100"}));
  ASSERT_TRUE(started);
  ASSERT_EQ(kill(shim_of(*started), SIGSTOP), 0);
  EXPECT_EQ(engine->signal_container("c", SIGTERM).error().message, "the container's shim does not answer");
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
  EXPECT_EQ(engine->container("c")->exit_code, 137);
}

TEST_F(ContainerTest, GivesEveryLineToAGuestWhoReadsLate) {
  make_sandbox("s");
  auto s = spec("c", {"sh", "-c", "cat; busybox seq 1 50000"});
  s.stdin_open = s.stdin_once = true;
  ASSERT_TRUE(run(std::move(s)));
  int in[2], out[2];
  ASSERT_EQ(pipe2(in, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
  ASSERT_TRUE(engine->attach("c", in[0], out[1], -1).ok());
  close(in[0]);
  close(out[1]);
  close(in[1]);  // and the container begins to write
  // The container has written more than its pipe, the guest's and the shim's buffer hold: it waits for us.
  const std::string log = directory + "/logs/c.log";
  for (int i = 0; i < 400 && std::filesystem::file_size(log) < 64 << 10; ++i) usleep(5000);
  EXPECT_EQ(engine->container("c")->phase, ContainerPhase::kRunning);
  std::string text;
  char buffer[65536];
  ssize_t n = 0;
  while ((n = read(out[0], buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
  close(out[0]);
  std::string all;
  for (int i = 1; i <= 50000; ++i) all += cat(i, "\n");
  EXPECT_TRUE(text == all) << text.size() << " bytes instead of " << all.size();
  wait_for_exit("c");
}

TEST_F(ContainerTest, ForgetsGuestsWhoHaveGone) {
  make_sandbox("s");
  const auto started = run(spec("c", {"sh", "-c", "while true; do echo tick; sleep 0.01; done"}));
  ASSERT_TRUE(started);
  const std::string open_files = cat("/proc/", shim_of(*started), "/fd");
  const auto count = [&] {
    std::error_code error;
    return std::distance(std::filesystem::directory_iterator(open_files, error), std::filesystem::directory_iterator());
  };
  const auto most = count() + 2;  // the engine's own connections, which come and go
  for (int i = 0; i < 20; ++i) {
    int out[2], err[2];
    ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
    ASSERT_EQ(pipe2(err, O_CLOEXEC), 0);
    ASSERT_TRUE(engine->attach("c", -1, out[1], err[1]).ok());
    for (const int fd : {out[0], out[1], err[0], err[1]}) close(fd);
  }
  for (int i = 0; i < 400 && count() > most; ++i) usleep(5000);
  EXPECT_LE(count(), most);
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
}

TEST_F(ContainerTest, StartsAndExecsWhateverItsGroupFileIs) {
  make_sandbox("s");
  ASSERT_EQ(mkfifo((directory + "/rootfs/etc/group").c_str(), 0644), 0);
  ASSERT_EQ(mkfifo((directory + "/rootfs/etc/passwd").c_str(), 0644), 0);
  auto s = spec("c", {"sleep", "100"});
  s.user = "1000";
  const auto started = run(std::move(s));
  ASSERT_TRUE(started) << started.error().message;
  EXPECT_EQ(exec_output("c", {"grep", "Uid", "/proc/self/status"}), "Uid:\t1000\t1000\t1000\t1000\n");
}

TEST_F(ContainerTest, StaysInReachWhileAnExecCannotStart) {
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sleep", "100"})));
  const Cgroup group(Cgroup::kDefaultRoot, prefix() + "/s/c");
  const std::string freezer = cat(Cgroup::kDefaultRoot, group.version2() ? "/" : "/freezer/", prefix(), "/s/c/",
                                  group.version2() ? "cgroup.freeze" : "freezer.state");
  if (access(freezer.c_str(), W_OK) != 0) GTEST_SKIP() << "SKIPPED: no freezer here";
  ASSERT_TRUE(write_kernel_file(freezer, group.version2() ? "1" : "FROZEN").ok());
  std::thread waits([this] { EXPECT_EQ(exec_output("c", {"echo", "late"}), "late\n"); });
  for (int i = 0; i < 400 && group.members().size() < 2; ++i) usleep(5000);
  EXPECT_TRUE(engine->signal_container("c", SIGCONT).ok());
  ASSERT_TRUE(write_kernel_file(freezer, group.version2() ? "0" : "THAWED").ok());
  waits.join();
}

TEST_F(ContainerTest, SweepsWhatWasHalfMade) {
  make_sandbox("s");
  engine.reset();
  ASSERT_TRUE(make_directories(directory + "/state/sandboxes/half/ns").ok());
  ASSERT_TRUE(make_directories(directory + "/state/containers/half").ok());
  ASSERT_TRUE(write_file_atomically(directory + "/state/containers/half/meta", "cut").ok());
  open();
  EXPECT_EQ(engine->sandboxes().size(), 1u);
  EXPECT_TRUE(engine->containers().empty());
  EXPECT_FALSE(std::filesystem::exists(directory + "/state/sandboxes/half"));
  EXPECT_FALSE(std::filesystem::exists(directory + "/state/containers/half"));
}

TEST_F(ContainerTest, AdoptsAContainerWhoseStartWasNotRecorded) {
  make_sandbox("s");
  ASSERT_TRUE(engine->create_container("s", spec("c", {"sleep", "100"}), {}).ok());
  const std::string meta = directory + "/state/containers/c/meta";
  const std::string before = *read_whole_file(meta);
  ASSERT_TRUE(engine->start_container("c"));
  engine.reset();
  ASSERT_TRUE(write_file_atomically(meta, before).ok());  // as if we had died just before
  open();
  EXPECT_EQ(engine->container("c")->phase, ContainerPhase::kRunning);
  ASSERT_TRUE(engine->signal_container("c", SIGKILL).ok());
  wait_for_exit("c");
}

TEST_F(ContainerTest, SetsSysctlsOfTheSandboxAndOfNothingElse) {
  SandboxConfig config;
  config.id = "s";
  config.hostname = "pod-host";
  config.sysctls = {{"kernel.msgmax", "12345"}};
  const std::string before = *read_whole_file("/proc/sys/kernel/msgmax");
  const auto made = engine->create_sandbox(config);
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(output_of(spec("c", {"cat", "/proc/sys/kernel/msgmax"})), "12345\n");
  EXPECT_EQ(*read_whole_file("/proc/sys/kernel/msgmax"), before);
  config.id = "host";
  config.sysctls = {{"net.ipv4.ip_forward", "1"}};  // it has the machine's network
  EXPECT_FALSE(engine->create_sandbox(config).ok());
  config.sysctls = {{"kernel.panic", "1"}};
  EXPECT_FALSE(engine->create_sandbox(config).ok());
  EXPECT_FALSE(std::filesystem::exists(directory + "/state/sandboxes/host"));
}

TEST_F(ContainerTest, SeesTheMachinesProcessesWhenAskedTo) {
  make_sandbox("s");
  auto s = spec("c", {"sh", "-c", "sleep 100 & echo $$; busybox readlink /proc/self/ns/pid"});
  s.host_pid = true;
  const std::string out = output_of(std::move(s));
  EXPECT_EQ(out, cat(engine->container("c")->pid, "\n", std::filesystem::read_symlink("/proc/self/ns/pid").string(), "\n"));
  EXPECT_TRUE(engine->remove_container("c").ok());  // what it left running is gone with it
}

}  // namespace
}  // namespace minik::runtime

int main(int argc, char** argv) {
  if (minik::runtime::is_shim_invocation(argc, argv)) return minik::runtime::shim_main(argc, argv);
  if (minik::runtime::is_pause_invocation(argc, argv)) return minik::runtime::pause_main(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
