// Real containers from a busybox root filesystem. Skips where it is not root or busybox is missing.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "control/base/text.h"
#include "runtime/container/capabilities.h"
#include "runtime/container/engine.h"
#include "runtime/container/files.h"
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
    for (const auto* tool : {"sh", "sleep", "cat", "echo", "hostname", "mount", "id", "dd", "ps", "kill"}) {
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

  void open() {
    auto opened = Engine::open(directory + "/state", prefix(), [this](const std::string&, const std::string& id) {
      const std::lock_guard lock(mutex);
      exited.push_back(id);
      changed.notify_all();
    });
    ASSERT_TRUE(opened) << opened.error().message;
    engine = *std::move(opened);
  }

  void make_sandbox(const std::string& id) {
    SandboxConfig config;
    config.id = id;
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
    for (const auto line : split(*read_whole_file(log), '\n')) {
      const auto fields = split(line, ' ');
      if (fields.size() > 3) out += cat(line.substr(fields[0].size() + fields[1].size() + fields[2].size() + 3), "\n");
    }
    return out;
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

TEST_F(ContainerTest, BlocksWhatTouchesTheMachine) {
  make_sandbox("s");
  const std::string out = output_of(
      spec("c", {"sh", "-c", "mount -t tmpfs x /tmp 2>&1; echo x > /proc/sysrq-trigger || echo kept; cat /proc/self/status"}));
  EXPECT_NE(out.find("ermission denied"), std::string::npos) << out;  // or "Operation not permitted"
  EXPECT_NE(out.find("kept"), std::string::npos);
  EXPECT_NE(out.find("Seccomp:\t2"), std::string::npos) << out;
  EXPECT_NE(out.find("CapEff:\t00000000a80425fb"), std::string::npos) << out;
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

}  // namespace
}  // namespace minik::runtime

int main(int argc, char** argv) {
  if (minik::runtime::is_shim_invocation(argc, argv)) return minik::runtime::shim_main(argc, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
