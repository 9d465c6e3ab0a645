// What keeps a container away from its machine and from other containers.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "runtime/container/rooted_path.h"
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

}  // namespace
}  // namespace minik::runtime
