// What keeps a container away from its machine and from other containers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "runtime/container/devices.h"
#include "runtime/container/rooted_path.h"
#include "runtime/container/seccomp.h"
#include "runtime/container/volume_mounts.h"
#include "tests/container/container_fixture.h"

namespace minik::runtime {
namespace {

using IsolationTest = ContainerFixture;

TEST_F(IsolationTest, MountsOfASubPathOnlyWhatIsInsideOfTheVolume) {
  make_sandbox();
  for (const auto* folder : {"/volume", "/outside"}) ASSERT_TRUE(make_directories(directory + folder).ok());
  ASSERT_EQ(chmod((directory + "/volume").c_str(), 0771), 0);
  std::filesystem::create_directory_symlink("../outside", directory + "/volume/up");
  std::filesystem::create_directory_symlink(directory + "/outside", directory + "/volume/absolute");
  std::filesystem::create_directory_symlink("made/below", directory + "/volume/inside");
  for (const auto* out : {"up", "absolute", "up/new"}) {
    EXPECT_EQ(make_beneath(directory + "/volume", out).error().message, "a link in it leads out of the volume") << out;
    auto s = spec(cat("to-", std::string_view(out).substr(0, 2), std::string_view(out).size()), {"ls", "/v"});
    s.mounts = {bind("/volume", "/v")};
    s.mounts[0].sub_path = out;
    const auto started = run(std::move(s));
    ASSERT_FALSE(started) << out;
    EXPECT_EQ(started.error().message, cat("mount /v: subPath \"", out, "\": a link in it leads out of the volume"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory + "/outside"));
  ASSERT_TRUE(make_beneath(directory + "/volume", "made/below/").ok());
  auto s = spec("inside", {"sh", "-c", "busybox stat -c %a /v; echo x > /v/file"});
  s.mounts = {bind("/volume", "/v")};
  s.mounts[0].sub_path = "inside";
  EXPECT_EQ(output_of(std::move(s)), "771\n");
  EXPECT_TRUE(std::filesystem::exists(directory + "/volume/made/below/file"));
}

// A container of the same pod that turns a directory of a shared volume into a link and back, as fast as it can.
TEST_F(IsolationTest, MountsNothingOutsideOfItsRootWhileAVolumeChanges) {
  make_sandbox();
  for (const auto* folder : {"/shared/a", "/shared/evil/next", "/volumes/next"}) ASSERT_TRUE(make_directories(directory + folder).ok());
  std::filesystem::create_directory_symlink(directory + "/volumes", directory + "/shared/b");
  ASSERT_TRUE(write_file_atomically(directory + "/shared/evil/next/whose", "evil\n").ok());
  ASSERT_TRUE(write_file_atomically(directory + "/volumes/next/whose", "good\n").ok());
  std::atomic<bool> done = false;
  std::thread flip([&] {
    const std::string a = directory + "/shared/a", b = directory + "/shared/b";
    while (!done) renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
  });
  for (int i = 0; i < 12; ++i) {
    auto s = spec(cat("c", i), {"cat", "/next/whose"});
    s.mounts = {bind("/shared", "/shared"), bind("/shared/evil", "/shared/a"), bind("/volumes/next", "/next")};
    const std::string id = s.id, log = s.log_path;
    // It may not start, for its own good.
    const auto started = run(std::move(s));
    if (!started) {
      EXPECT_NE(started.error().message.find("mount /shared/a: "), std::string::npos) << started.error().message;
      continue;
    }
    wait_for_exit(id);
    EXPECT_EQ(read_whole_file(log)->find("evil"), std::string::npos);
  }
  done = true;
  flip.join();
  EXPECT_EQ(*read_whole_file(directory + "/volumes/next/whose"), "good\n");
}

TEST_F(IsolationTest, SharesAVolumeInMemory) {
  make_sandbox();
  ASSERT_TRUE(make_directories(directory + "/volume").ok());
  for (const auto* id : {"first", "second"}) {
    const auto made = make_memory_volume(directory + "/volume", 1 << 20);
    ASSERT_TRUE(made.ok()) << made.error().message;
    auto s = spec(id, {"sh", "-c", cat("ls /v; echo x >/v/", id, "; busybox dd if=/dev/zero of=/v/much bs=1M count=2; true")});
    s.mounts = {bind("/volume", "/v")};
    const std::string out = output_of(std::move(s));
    EXPECT_NE(out.find("No space left on device"), std::string::npos) << out;
    EXPECT_EQ(out.find("first\n") != std::string::npos, std::string_view(id) == "second") << out;
  }
}

TEST_F(IsolationTest, MakesAMountsPlaceBehindTheLinksOfItsImage) {
  make_sandbox();
  ASSERT_TRUE(make_directories(directory + "/volume").ok());
  ASSERT_TRUE(write_file_atomically(directory + "/volume/file", "here\n").ok());
  std::filesystem::create_symlink("../../../../run/made/name", directory + "/rootfs/etc/name");
  std::filesystem::create_directory_symlink("/srv/none", directory + "/rootfs/data");
  auto s = spec("c", {"sh", "-c", "cat /run/made/name /srv/none/deep/file; echo x > /data/deep/file"});
  s.mounts = {bind("/volume/file", "/etc/name"), bind("/volume", "/data/deep")};
  s.mounts[1].read_only = true;
  EXPECT_EQ(output_of(std::move(s)), "here\nhere\nsh: can't create /data/deep/file: Read-only file system\n");
}

// Root in a container is the owner of whatever it can reach of the machine's.
TEST_F(IsolationTest, LetsNobodyChangeMiniksProgramThroughAProcessOfIts) {
  make_sandbox();
  const auto started = run(spec("c", {"sleep", "100"}));
  ASSERT_TRUE(started) << started.error().message;
  const auto status = *read_whole_file(cat("/proc/", started->pid, "/status"));
  const auto line = status.substr(status.find("PPid:") + 5);
  const std::string program = cat("/proc/", trim(line.substr(0, line.find('\n'))), "/exe");
  struct stat its {}, ours {};
  ASSERT_EQ(stat(program.c_str(), &its), 0);
  ASSERT_EQ(stat("/proc/self/exe", &ours), 0);
  EXPECT_EQ(its.st_ino, ours.st_ino) << "a copy for each would cost memory";
  EXPECT_EQ(chmod(program.c_str(), its.st_mode & 07777), -1);
  EXPECT_EQ(errno, EROFS);
}

// A file of the upper layer: a device node that the container has made, or one that lies in its volume.
constexpr const char* kOpenDevices = R"(exec 2>&1
    for numbers in 10:237 10:200 10:229; do mknod /tmp/$numbers c ${numbers%:*} ${numbers#*:}; cat </tmp/$numbers >/dev/null; done
    cat /dev/null; head -c 1 /dev/urandom | wc -c; echo >/dev/full; cat </volume/tun; cat </volume/null && echo live; cat </dead/null)";

TEST_F(IsolationTest, OpensNoDevicesButThoseOfEveryContainer) {
  make_sandbox();
  ASSERT_TRUE(make_directories(directory + "/volume").ok());
  ASSERT_EQ(mknod((directory + "/volume/tun").c_str(), S_IFCHR | 0666, makedev(10, 200)), 0);
  ASSERT_EQ(mknod((directory + "/volume/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  auto s = spec("c", {"sh", "-c", kOpenDevices});
  s.mounts = {bind("/volume", "/volume"), bind("/volume", "/dead")};
  s.mounts[0].shows_devices = true;
  const std::string out = output_of(std::move(s));
  size_t refusals = 0;
  for (const auto refused : split(out, '\n')) refusals += refused.find("can't open ") != std::string_view::npos;
  EXPECT_EQ(refusals, 5u) << out;
  EXPECT_NE(out.find("\n1\n"), std::string::npos) << out;
  EXPECT_NE(out.find("live\n"), std::string::npos) << out;
  EXPECT_NE(out.find("No space left on device"), std::string::npos) << out;
}

TEST_F(IsolationTest, OpensEveryDeviceWhenPrivileged) {
  make_sandbox();
  auto s = spec("c", {"sh", "-c", "mknod /tmp/kmsg c 1 11 && : </tmp/kmsg && echo open"});
  s.capabilities = *capability_set({"SYSLOG"}, {}, false);
  s.privileged = true;
  EXPECT_EQ(output_of(std::move(s)), "open\n");
}

// Where control groups do not confine devices.
TEST(DeviceFilter, KeepsDevicesFromBeingMadeAndNothingElse) {
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (!load_device_filter().ok()) _exit(1);
    if (mknod("/nowhere/device", S_IFCHR | 0600, makedev(1, 3)) != -1 || errno != EPERM) _exit(2);
    if (mknodat(AT_FDCWD, "/nowhere/device", S_IFBLK | 0600, makedev(8, 0)) != -1 || errno != EPERM) _exit(3);
    if (mknod("/nowhere/pipe", S_IFIFO | 0600, 0) != -1 || errno != ENOENT) _exit(4);
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0) << status;
}

TEST(DeviceRules, AreLinesOfVersionOne) {
  std::string lines;
  for (const auto& rule : default_device_rules()) lines += cat(device_line(rule), "\n");
  EXPECT_EQ(lines,
            "c *:* m\nb *:* m\nc 1:3 rwm\nc 1:5 rwm\nc 1:7 rwm\nc 1:8 rwm\nc 1:9 rwm\nc 5:0 rwm\nc 5:2 rwm\nc 136:* rwm\n");
}

// As the kernel would: what it does with the few instructions that device programs have.
int decision_of(const std::vector<bpf_insn>& program, uint32_t access_type, uint32_t major, uint32_t minor) {
  const uint32_t context[] = {access_type, major, minor};
  uint64_t registers[11] = {};
  for (size_t at = 0; at < program.size(); ++at) {
    const bpf_insn& i = program[at];
    uint64_t& to = registers[i.dst_reg];
    const auto value = static_cast<uint32_t>(i.imm);
    switch (i.code) {
      case BPF_LDX | BPF_W | BPF_MEM: to = context[i.off / 4]; break;
      case BPF_ALU | BPF_MOV | BPF_X: to = static_cast<uint32_t>(registers[i.src_reg]); break;
      case BPF_ALU | BPF_AND | BPF_K: to = static_cast<uint32_t>(to) & value; break;
      case BPF_ALU | BPF_RSH | BPF_K: to = static_cast<uint32_t>(to) >> value; break;
      case BPF_ALU64 | BPF_MOV | BPF_K: to = value; break;
      case BPF_JMP | BPF_JNE | BPF_K: at += to != value ? static_cast<size_t>(i.off) : 0; break;
      case BPF_JMP | BPF_JSET | BPF_K: at += (to & value) != 0 ? static_cast<size_t>(i.off) : 0; break;
      case BPF_JMP | BPF_EXIT: return static_cast<int>(registers[0]);
      default: return -1;
    }
  }
  return -1;
}

TEST(DeviceRules, AreAProgramOfVersionTwo) {
  const auto program = device_program(default_device_rules());
  const auto decide = [&](int type, int access, uint32_t major, uint32_t minor) {
    return decision_of(program, static_cast<uint32_t>(type | access << 16), major, minor);
  };
  constexpr int kMake = BPF_DEVCG_ACC_MKNOD, kRead = BPF_DEVCG_ACC_READ, kWrite = BPF_DEVCG_ACC_WRITE;
  constexpr int kChar = BPF_DEVCG_DEV_CHAR, kBlock = BPF_DEVCG_DEV_BLOCK;
  EXPECT_EQ(decide(kChar, kMake, 10, 237), 1);
  EXPECT_EQ(decide(kBlock, kMake, 8, 0), 1);
  EXPECT_EQ(decide(kChar, kRead, 10, 237), 0);
  EXPECT_EQ(decide(kChar, kRead | kWrite, 10, 200), 0);
  EXPECT_EQ(decide(kChar, kRead | kMake, 10, 229), 0);
  EXPECT_EQ(decide(kBlock, kRead, 8, 0), 0);
  EXPECT_EQ(decide(kBlock, kRead, 1, 3), 0) << "a block device with null's numbers";
  EXPECT_EQ(decide(kChar, kRead | kWrite, 1, 3), 1);
  EXPECT_EQ(decide(kChar, kRead, 1, 11), 0);
  EXPECT_EQ(decide(kChar, kRead | kWrite | kMake, 136, 77), 1);
  EXPECT_EQ(decide(kChar, kRead, 5, 1), 0);
}

// The kernel's own word on the program, where it has one: also on a machine whose other controllers are version 1's.
TEST(DeviceRules, AreObeyedInAGroupOfVersionTwo) {
  if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: control groups need root";
  const std::string root = access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/unified";
  if (access((root + "/cgroup.procs").c_str(), W_OK) != 0) GTEST_SKIP() << "SKIPPED: no control groups of version 2";
  const std::string group = cat(root, "/minik-devices-", getpid());
  const std::string zero = cat("/tmp/minik-zero-", getpid()), kmsg = cat("/tmp/minik-kmsg-", getpid());
  ASSERT_EQ(mkdir(group.c_str(), 0755), 0);
  const auto attached = attach_device_program(group, default_device_rules());
  const pid_t child = attached.ok() ? fork() : -1;
  if (child == 0) {
    if (!write_kernel_file(group + "/cgroup.procs", "0").ok()) _exit(1);
    if (mknod(kmsg.c_str(), S_IFCHR | 0600, makedev(1, 11)) != 0) _exit(2);
    if (mknod(zero.c_str(), S_IFCHR | 0600, makedev(1, 5)) != 0) _exit(2);
    if (open(kmsg.c_str(), O_RDONLY) != -1 || errno != EPERM) _exit(3);
    _exit(open(zero.c_str(), O_RDWR) < 0 ? 4 : 0);
  }
  int status = 0;
  if (child > 0) waitpid(child, &status, 0);
  for (const auto& file : {kmsg, zero}) unlink(file.c_str());
  EXPECT_EQ(rmdir(group.c_str()), 0);
  if (!attached.ok()) GTEST_SKIP() << "SKIPPED: " << attached.error().message;
  EXPECT_EQ(WEXITSTATUS(status), 0) << status;
}

TEST_F(IsolationTest, RunsAnImageOfAsManyLayersAsImagesHaveWhateverTheFoldersAreCalled) {
  const std::string home = directory + "/a:b,c\\d e";
  open(home + "/state");
  make_sandbox();
  auto s = spec("c", {"cat", "/first", "/last"});
  constexpr int kLayers = 127;
  for (int i = 0; i < kLayers; ++i) {
    const std::string layer = cat(home, "/layers/", std::string(64, 'f'), i);
    ASSERT_TRUE(make_directories(layer).ok());
    s.lower_directories.push_back(layer);
  }
  ASSERT_TRUE(write_file_atomically(s.lower_directories[1] + "/first", "first\n", 0644).ok());
  ASSERT_TRUE(write_file_atomically(s.lower_directories.back() + "/last", "last\n", 0644).ok());
  EXPECT_EQ(output_of(std::move(s)), "first\nlast\n");
}

TEST_F(IsolationTest, HasARootAsItsImageHasItWhateverTheCallerKeepsToHimself) {
  ASSERT_EQ(chown((directory + "/rootfs").c_str(), 0, 42), 0);
  ASSERT_EQ(chmod((directory + "/rootfs").c_str(), 0775), 0);
  const mode_t before = umask(077);
  make_sandbox();
  auto s = spec("c", {"sh", "-c", "stat -c '%a %g' /; ls -d /volume; cat /new/place/file"});
  s.user = "1000";
  ASSERT_TRUE(make_directories(directory + "/volume", 0755).ok());
  ASSERT_EQ(chmod((directory + "/volume").c_str(), 0755), 0);
  ASSERT_TRUE(write_file_atomically(directory + "/volume/file", "here\n", 0644).ok());
  s.mounts = {bind("/volume", "/volume"), bind("/volume", "/new/place")};
  const std::string out = output_of(std::move(s));
  umask(before);
  EXPECT_EQ(out, "775 42\n/volume\nhere\n");
}

TEST_F(IsolationTest, SeesItsOwnLimitsAndChangesNone) {
  make_sandbox();
  const bool version2 = Cgroup(Cgroup::kDefaultRoot, "").version2();
  const std::string file = version2 ? "/sys/fs/cgroup/memory.max" : "/sys/fs/cgroup/memory/memory.limit_in_bytes";
  auto s = spec("c", {"sh", "-c", cat("exec 2>&1; cat ", file, "; echo 1 >", file, "; cat /proc/self/cgroup")});
  s.memory_limit_bytes = 32 << 20;
  const std::string out = output_of(std::move(s));
  if (out.find("No such file") != std::string::npos) GTEST_SKIP() << "SKIPPED: no memory controller here";
  EXPECT_TRUE(out.starts_with("33554432\n")) << out;
  EXPECT_NE(out.find("Read-only file system"), std::string::npos) << out;
  EXPECT_NE(out.find(version2 ? "0::/\n" : ":memory:/\n"), std::string::npos) << out;
}

TEST_F(IsolationTest, HasOfAllCapabilitiesThoseThatMinikHas) {
  make_sandbox();
  auto s = spec("c", {"sh", "-c", "while read -r name value; do case $name in CapEff:) echo $value;; esac; done </proc/self/status"});
  s.capabilities = *capability_set({}, {}, true);
  s.privileged = true;
  // As on a machine that has not given minik all of them.
  std::string own;
  std::thread lacking([&] {
    const cap_t caps = cap_get_proc();
    const cap_value_t one = CAP_SYS_BOOT;
    cap_set_flag(caps, CAP_EFFECTIVE, 1, &one, CAP_CLEAR);
    cap_set_flag(caps, CAP_PERMITTED, 1, &one, CAP_CLEAR);
    ASSERT_EQ(prctl(PR_CAPBSET_DROP, CAP_SYS_BOOT, 0, 0, 0), 0);
    ASSERT_EQ(cap_set_proc(caps), 0);
    cap_free(caps);
    const auto status = *read_whole_file("/proc/thread-self/status");
    own = status.substr(status.find("CapPrm:\t") + 8, 17);
    EXPECT_EQ(output_of(std::move(s)), own);
  });
  lacking.join();
}

TEST_F(IsolationTest, OpensLowPortsAndPingToAllUsersOfAPodsOwnNetwork) {
  const std::string network = directory + "/net";
  ASSERT_TRUE(write_file_atomically(network, "").ok());
  std::thread other([&] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    ASSERT_EQ(mount("/proc/thread-self/ns/net", network.c_str(), nullptr, MS_BIND, nullptr), 0);
  });
  other.join();
  const char* values = "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range";
  SandboxConfig config;
  config.id = "s";
  config.hostname = "pod-host";
  config.network_namespace = network;
  const auto made = engine->create_sandbox(config);
  ASSERT_TRUE(made.ok()) << made.error().message;
  EXPECT_EQ(output_of(spec("c", {"sh", "-c", values})), "0\n0\t2147483647\n");
  // What a pod says itself comes after.
  config.id = "own";
  config.sysctls = {{"net.ipv4.ip_unprivileged_port_start", "80"}};
  ASSERT_TRUE(engine->create_sandbox(config).ok());
  EXPECT_EQ(output_of(spec("again", {"cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"})), "80\n");
}

}  // namespace
}  // namespace minik::runtime
