#include "runtime/container/files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "control/base/text.h"

namespace minik::runtime {
namespace {

TEST(UsageOnDisk, CountsWhatATreeTakesAndAFileOfSeveralNamesOnce) {
  char name[] = "/tmp/minik-files-XXXXXX";
  const std::string directory = mkdtemp(name);
  constexpr int64_t kMebibyte = 1 << 20;
  ASSERT_TRUE(make_directories(directory + "/a/b").ok());
  const int64_t empty = usage_on_disk(directory).bytes;
  EXPECT_LT(empty, 64 << 10);
  std::ofstream(directory + "/a/b/file") << std::string(kMebibyte, 'x');
  sync();  // some file systems know a file's blocks only then
  const int64_t one = usage_on_disk(directory).bytes;
  EXPECT_GE(one, empty + kMebibyte);
  EXPECT_EQ(usage_on_disk(directory).inodes, 4);
  EXPECT_LT(one, empty + kMebibyte + (64 << 10));
  ASSERT_EQ(link((directory + "/a/b/file").c_str(), (directory + "/again").c_str()), 0);
  ASSERT_EQ(symlink("/", (directory + "/a/root").c_str()), 0);
  EXPECT_LT(usage_on_disk(directory).bytes, one + (64 << 10)) << "neither a second name nor what a link points to";
  EXPECT_EQ(usage_on_disk(directory).inodes, 5) << "the link is one";
  std::filesystem::remove_all(directory);
  EXPECT_EQ(usage_on_disk(directory).bytes, 0) << "what is not there";
}

TEST(UsageOnDisk, EndsWhereItIsToldToAndWhereATreeGoesTooDeep) {
  char name[] = "/tmp/minik-files-XXXXXX";
  const std::string directory = mkdtemp(name);
  for (int i = 0; i < 3000; ++i) {
    const int fd = open(cat(directory, "/", i).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    close(fd);
  }
  int asked = 0;
  (void)usage_on_disk(directory, [&] { return ++asked == 2; });
  EXPECT_EQ(asked, 2);
  std::string deep = directory;
  for (int i = 0; i < 300; ++i) deep += "/d";
  ASSERT_TRUE(make_directories(deep).ok());
  const int64_t before = usage_on_disk(directory).bytes;
  std::ofstream(deep + "/file") << std::string(1 << 20, 'x');
  sync();
  EXPECT_LT(usage_on_disk(directory).bytes, before + (1 << 19));
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace minik::runtime
