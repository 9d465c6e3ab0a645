// Containers as the engine makes them.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "control/base/text.h"
#include "runtime/container/capabilities.h"
#include "runtime/container/engine.h"
#include "runtime/container/files.h"
#include "runtime/container/pause.h"
#include "runtime/container/seccomp_profile.h"
#include "runtime/container/shim.h"
#include "runtime/container/signal_names.h"
#include "tests/container/container_fixture.h"

namespace minik::runtime {
namespace {

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

TEST(SignalNames, KnowsWhatImagesAndPodsWrite) {
  for (const auto& [name, number] : {std::pair{"SIGTERM", SIGTERM}, std::pair{"QUIT", SIGQUIT}, std::pair{"sigwinch", SIGWINCH},
                                     std::pair{"SIGUSR2", SIGUSR2}, std::pair{"9", 9}, std::pair{"SIGRTMIN+3", 37}, std::pair{"RTMAX-1", 63},
                                     std::pair{"SIGRTMIN", 34}, std::pair{"64", 64}}) {
    EXPECT_EQ(parse_signal(name), number) << name;
  }
  for (const auto* name : {"", "SIG", "SIGNONE", "0", "-9", "65", "SIGRTMIN+31", "SIGRTMIN+-1", "RTMAX-99999999999"}) {
    EXPECT_EQ(parse_signal(name), std::nullopt) << name;
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
  // Another first group keeps the image's others, unless the pod wants none of them.
  for (const bool image_groups : {true, false}) {
    auto other = spec(image_groups ? "merged" : "strict", {"grep", "Groups:", "/proc/self/status"});
    other.user = "1000:5000";
    other.supplementary_groups = {4000};
    other.image_groups = image_groups;
    const std::string groups = output_of(std::move(other));
    EXPECT_EQ(trim(groups), image_groups ? "Groups:\t3000 4000 5000" : "Groups:\t4000 5000");
  }
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

// What an image declares as a volume is there, has what the image put into it, and can be written to.
TEST_F(ContainerTest, KeepsTheImagesOwnVolumesWritable) {
  make_sandbox("s");
  ASSERT_TRUE(make_directories(directory + "/rootfs/data").ok());
  ASSERT_TRUE(write_file_atomically(directory + "/rootfs/data/first", "of the image\n", 0644).ok());
  auto s = spec("c", {"sh", "-c", "exec 2>&1; cat /data/first; echo new > /data/second && cat /data/second; ls /made; echo x > /file; "
                                  "echo x > /proc/sys/kernel/hostname"});
  s.read_only_root = true;
  for (const auto* path : {"/data", "/made", "/proc", "/proc/sys"}) {
    MountSpec own;
    own.type = "own";
    own.target = path;
    s.mounts.push_back(std::move(own));
  }
  EXPECT_EQ(output_of(std::move(s)), "of the image\nnew\nsh: can't create /file: Read-only file system\n"
                                     "sh: can't create /proc/sys/kernel/hostname: Read-only file system\n");
  EXPECT_FALSE(std::filesystem::exists(directory + "/rootfs/data/second"));
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

TEST_F(ContainerTest, EndsAndRemovesWhatHasFilledTheDisk) {
  engine.reset();
  state = "/small/state";
  ASSERT_TRUE(make_directories(directory + "/small").ok());
  ASSERT_EQ(mount("tmpfs", (directory + "/small").c_str(), "tmpfs", 0, "size=2m"), 0);
  open();
  make_sandbox("s");
  ASSERT_TRUE(run(spec("c", {"sh", "-c", "trap 'exit 7' USR1; dd if=/dev/zero of=/hog bs=64k count=100; while true; do sleep 0.02; done"})));
  std::error_code error;
  const std::string small = directory + "/small";
  for (int i = 0; i < 400 && std::filesystem::space(small, error).available > 0; ++i) usleep(5000);
  ASSERT_FALSE(write_file_atomically(small + "/more", "text").ok());
  ASSERT_TRUE(engine->signal_container("c", SIGUSR1).ok());
  wait_for_exit("c");
  EXPECT_EQ(engine->container("c")->exit_code, 7);
  engine.reset();
  open();
  EXPECT_EQ(engine->container("c")->exit_code, 7) << "the record of its end had no room";
  EXPECT_TRUE(engine->stop_sandbox("s").ok());
  EXPECT_TRUE(engine->remove_sandbox("s").ok());
  EXPECT_GT(std::filesystem::space(small, error).available, 1u << 20);
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

TEST_F(ContainerTest, GivesAPrivilegedContainerWhatThisProcessHas) {
  make_sandbox("s");
  auto s = spec("c", {"grep", "CapPrm", "/proc/self/status"});
  s.capabilities = *capability_set({}, {}, true);
  s.privileged = true;
  std::ifstream own("/proc/self/status");
  std::string line;
  while (std::getline(own, line) && !line.starts_with("CapPrm")) {
  }
  EXPECT_EQ(output_of(std::move(s)), line + "\n");
}

}  // namespace
}  // namespace minik::runtime

int main(int argc, char** argv) {
  if (minik::runtime::is_shim_invocation(argc, argv)) return minik::runtime::shim_main(argc, argv);
  if (minik::runtime::is_pause_invocation(argc, argv)) return minik::runtime::pause_main(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
