#include "minik/process/profile_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

TEST(ProfileLock, WhoComesSecondWaitsAndHearsForWhom) {
  const TemporaryFolder folder;
  Profile profile;
  profile.directory = folder.file("minik");
  int taken[2], end[2];
  ASSERT_EQ(pipe(taken), 0);
  ASSERT_EQ(pipe(end), 0);
  const pid_t first = fork();
  if (first == 0) {
    close(end[1]);
    const auto lock = ProfileLock::take(profile, [](int) {});
    char byte = lock ? 'y' : 'n';
    (void)!write(taken[1], &byte, 1);
    (void)!read(end[0], &byte, 1);  // until the other closes it
    _exit(0);
  }
  char byte = 0;
  ASSERT_EQ(read(taken[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  Profile other = profile;
  other.name = "other";
  EXPECT_TRUE(ProfileLock::take(other, [](int) { ADD_FAILURE() << "nobody has that one"; }));
  int waited_for = 0;
  const auto second = ProfileLock::take(profile, [&](int pid) {
    waited_for = pid;
    close(end[1]);
  });
  EXPECT_TRUE(second);
  EXPECT_EQ(waited_for, first);
  waitpid(first, nullptr, 0);
  for (const int fd : {taken[0], taken[1], end[0]}) close(fd);
}

TEST(ProfileLock, WhereNoProfileHasEverBeenNobodyIsLockedOut) {
  const TemporaryFolder folder;
  Profile profile;
  profile.directory = folder.file("none/minik");
  EXPECT_TRUE(ProfileLock::take(profile, [](int) {}));
  EXPECT_FALSE(std::filesystem::exists(folder.file("none")));
}

}  // namespace
}  // namespace minik
