// A directory with a busybox root filesystem and an engine over it, for tests with real containers. Skips where it is not
// root or busybox is missing. Paths in `directory` are the machine's; all goes with the fixture.
#pragma once

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

class ContainerFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "SKIPPED: containers need root";
    if (access("/bin/busybox", X_OK) != 0) GTEST_SKIP() << "SKIPPED: busybox-static is not installed";
    char path[] = "/tmp/minik-isolation-XXXXXX";
    directory = mkdtemp(path);
    for (const auto* folder : {"bin", "etc", "tmp"}) ASSERT_TRUE(make_directories(cat(directory, "/rootfs/", folder)).ok());
    std::filesystem::copy_file("/bin/busybox", directory + "/rootfs/bin/busybox");
    for (const auto* tool : {"sh", "sleep", "cat", "echo", "head", "ls", "mknod", "mount", "stat", "true", "wc"}) {
      std::filesystem::create_symlink("busybox", directory + "/rootfs/bin/" + tool);
    }
    open(directory + "/state");
  }
  void TearDown() override {
    if (!engine) return;
    for (const auto& sandbox : engine->sandboxes()) EXPECT_TRUE(engine->remove_sandbox(sandbox.config.id).ok());
    engine.reset();
    EXPECT_TRUE(Cgroup(Cgroup::kDefaultRoot, prefix()).remove().ok());
    EXPECT_TRUE(remove_mounted_tree(directory).ok());
  }

  static std::string prefix() { return cat("minik-isolation-", getpid()); }

  void open(const std::string& state) {
    engine.reset();
    auto opened = Engine::open(state, prefix(), [this](const std::string&, const std::string& id) {
      const std::lock_guard lock(mutex);
      exited.push_back(id);
      changed.notify_all();
    });
    ASSERT_TRUE(opened) << opened.error().message;
    engine = *std::move(opened);
  }

  void make_sandbox() {
    SandboxConfig config;
    config.id = "s";
    config.hostname = "pod-host";
    const auto made = engine->create_sandbox(config);
    ASSERT_TRUE(made.ok()) << made.error().message;
  }

  ContainerSpec spec(const std::string& id, std::vector<std::string> args) const {
    ContainerSpec s;
    s.id = id;
    s.args = std::move(args);
    s.lower_directories = {directory + "/rootfs"};
    s.capabilities = *capability_set({}, {}, false);
    s.log_path = cat(directory, "/logs/", id, ".log");
    return s;
  }

  MountSpec bind(const std::string& source, const std::string& target) const {
    MountSpec mount;
    mount.type = "bind";
    mount.source = directory + source;
    mount.target = target;
    return mount;
  }

  Result<ContainerInfo> run(ContainerSpec s) {
    const std::string id = s.id;
    MINIK_TRY(engine->create_container("s", std::move(s), {}));
    return engine->start_container(id);
  }

  void wait_for_exit(const std::string& id) {
    std::unique_lock lock(mutex);
    ASSERT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return std::ranges::find(exited, id) != exited.end(); }));
  }

  // Runs to the end and gives what it wrote.
  std::string output_of(ContainerSpec s) {
    const std::string id = s.id, log = s.log_path;
    const auto started = run(std::move(s));
    EXPECT_TRUE(started) << started.error().message;
    if (started) wait_for_exit(id);
    std::string out;
    const auto text = read_whole_file(log);
    EXPECT_TRUE(text);
    for (const auto line : split(text ? std::string_view(*text) : std::string_view(), '\n')) {
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

}  // namespace minik::runtime
