// Version 2 against a tree of plain files, as the kernel would show it.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "control/base/text.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/files.h"

namespace minik::runtime {
namespace {

TEST(Cgroup, WritesVersion2LimitsAndReadsItsStatistics) {
  char path[] = "/tmp/minik-cgroup-XXXXXX";
  const std::string root = mkdtemp(path);
  ASSERT_TRUE(write_file_atomically(root + "/cgroup.controllers", "cpu memory pids").ok());
  const Cgroup group(root, "minik/pod");
  ASSERT_TRUE(group.version2());
  ASSERT_TRUE(group.create().ok());
  const std::string at = root + "/minik/pod/";
  for (const auto* file : {"memory.max", "cpu.weight", "cpu.max"}) ASSERT_TRUE(write_file_atomically(at + file, "").ok());
  ASSERT_TRUE(write_file_atomically(at + "cpu.stat", "usage_usec 1500\nuser_usec 1000\n").ok());
  ASSERT_TRUE(write_file_atomically(at + "memory.current", "1000\n").ok());
  ASSERT_TRUE(write_file_atomically(at + "memory.stat", "anon 5\ninactive_file 400\n").ok());
  ASSERT_TRUE(write_file_atomically(at + "memory.events", "low 0\noom_kill 2\n").ok());
  const auto missing = group.set({64 << 20, 1024, 50'000, 100'000, 10});
  ASSERT_TRUE(missing);
  EXPECT_EQ(*missing, std::vector<std::string>{"pids"});  // its file is not there
  EXPECT_EQ(*read_whole_file(at + "memory.max"), "67108864");
  EXPECT_EQ(*read_whole_file(at + "cpu.weight"), "39");
  EXPECT_EQ(*read_whole_file(at + "cpu.max"), "50000 100000");
  EXPECT_EQ(group.stats().cpu_usage_ns, 1'500'000);
  EXPECT_EQ(group.stats().memory_working_set_bytes, 600);
  EXPECT_EQ(group.oom_kills(), 2);
  ASSERT_TRUE(remove_mounted_tree(root).ok());
}

TEST(Cgroup, KillsAlsoTheMembersOfGroupsBelowUnderVersion1) {
  char path[] = "/tmp/minik-cgroup-XXXXXX";
  const std::string root = mkdtemp(path);
  ASSERT_TRUE(make_directories(root + "/memory").ok());
  const Cgroup pod(root, "pod");
  ASSERT_TRUE(pod.create().ok() && Cgroup(root, "pod/container").create().ok());
  std::vector<pid_t> children;
  for (const auto* group : {"/memory/pod", "/memory/pod/container"}) {
    const pid_t child = fork();
    if (child == 0) {
      while (true) pause();
    }
    ASSERT_GT(child, 0);
    children.push_back(child);
    ASSERT_TRUE(write_file_atomically(cat(root, group, "/cgroup.procs"), cat("0\n", child, "\n")).ok());
  }
  pod.kill();
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  }
  ASSERT_TRUE(remove_mounted_tree(root).ok());
}

TEST(Cgroup, ConvertsSharesAsRuncDoes) {
  EXPECT_EQ(Cgroup::weight_of_shares(2), 1);
  EXPECT_EQ(Cgroup::weight_of_shares(1024), 39);
  EXPECT_EQ(Cgroup::weight_of_shares(262144), 10000);
}

}  // namespace
}  // namespace minik::runtime
