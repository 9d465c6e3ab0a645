// Real containers from a busybox root filesystem. Skips where it is not root or busybox is missing.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "control/base/text.h"
#include "runtime/container/capabilities.h"
#include "runtime/container/engine.h"
#include "runtime/container/files.h"

namespace minik::runtime {

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
    for (const auto* tool : {"sh", "sleep", "cat", "echo", "hostname", "mount", "id", "dd", "ps", "kill", "grep",
                             "ls", "mkdir", "tr", "head", "mknod", "stat", "true", "wc"}) {
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
        directory + state, prefix(),
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

  std::string directory, state = "/state";
  std::unique_ptr<Engine> engine;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> exited;
};

}  // namespace minik::runtime
