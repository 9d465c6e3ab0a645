// A store is killed before each step that changes the disk, one after the other, and must always
// open again with whole images only; and it meets full disks of every size.
//
// The steps are counted where they are made: this program's own fsync, rename, mkdirat… stand
// before libc's.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "control/base/text.h"
#include "runtime/image/image_maker.h"
#include "tests/image/image_fixture.h"

namespace {

int steps_left = -1;  // negative: nobody counts

void step() {
  if (steps_left >= 0 && steps_left-- == 0) ::raise(SIGKILL);
}

}  // namespace

extern "C" {
int fsync(int fd) {
  step();
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
int syncfs(int fd) noexcept {
  step();
  return static_cast<int>(::syscall(SYS_syncfs, fd));
}
int rename(const char* from, const char* to) noexcept {
  step();
  return static_cast<int>(::syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to));
}
int mkdirat(int fd, const char* path, mode_t mode) noexcept {
  step();
  return static_cast<int>(::syscall(SYS_mkdirat, fd, path, mode));
}
int unlinkat(int fd, const char* path, int flags) noexcept {
  step();
  return static_cast<int>(::syscall(SYS_unlinkat, fd, path, flags));
}
int unlink(const char* path) noexcept {
  step();
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
}

namespace minik::runtime {
namespace {

MadeImage old_image() {
  return image_of({{{file("v"), "old"}}});
}
MadeImage new_image() {
  return image_of(
      {{{folder("d/"), ""}, {file("d/f"), std::string(20'000, 'n')}}, {{file("v"), "new"}}});
}

// What is wrong with the store; empty when it is whole and its image is one of the two.
std::string trouble(const std::string& root) {
  auto opened = ImageStore::open(root);
  if (!opened) return "open: " + opened.error().message;
  ImageStore& store = **opened;
  for (const Digest& digest : store.content().list()) {
    if (!store.content().read(digest, 1 << 20)) return "blob " + digest.text();
  }
  const auto image = store.find("app");
  if (!image) return "find: " + image.error().message;
  const auto lowers = store.rootfs_layers(*image);
  if (!lowers) return "layers: " + lowers.error().message;
  const std::string version = slurp(lowers->front() + "/v");
  if (version != "old" && version != "new") return "version " + version;
  if (version == "new" && slurp(lowers->back() + "/d/f").size() != 20'000) return "half a layer";
  if (!store.prune({}).ok()) return "prune";
  if (!paths_under(root + "/ingest").empty()) return "rubbish in ingest";
  const size_t blobs = version == "old" ? 3 : 4;
  if (store.content().list().size() != blobs) return "rubbish among blobs";
  return "";
}

TEST(CrashSafety, AStoreKilledBeforeAnyStepOpensWhole) {
  const std::string archive = docker_archive(new_image(), {"app"});
  int kills = 0;
  for (int steps = 0; steps < 500; ++steps) {
    const TempFolder folder(quick_folder());
    const std::string root = folder / "store";
    {
      const auto store = *ImageStore::open(root);
      ASSERT_OK(load_images(*store, source_of(docker_archive(old_image(), {"app"})), "old"));
    }
    const pid_t child = ::fork();
    if (child == 0) {
      steps_left = steps;
      const auto store = *ImageStore::open(root);
      const bool loaded = load_images(*store, source_of(archive), "new").ok();
      const bool pruned = store->prune({}).ok();
      ::_exit(loaded && pruned ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(trouble(root), "") << "killed before step " << steps;
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      break;
    }
    ++kills;
  }
  EXPECT_GT(kills, 20);
}

TEST(CrashSafety, AFullDiskOfAnySizeIsOneLineAndLeavesTheOldImage) {
  if (!is_root()) GTEST_SKIP() << "SKIPPED: small file systems need root to mount";
  const TempFolder folder;
  const std::string archive = docker_archive(image_of({{{file("a"), std::string(100'000, 'a')}},
                                                       {{file("b"), std::string(200'000, 'b')}}}),
                                             {"app"});
  int said[2];
  ASSERT_EQ(::pipe(said), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text;
    int failures = 0;
    const bool apart = ::unshare(CLONE_NEWNS) == 0 &&
                       ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
    for (int kib = 100; apart && kib <= 1400; kib += 36) {
      const std::string options = cat("size=", kib, "k");
      if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, options.c_str()) != 0) break;
      const std::string root = folder / "store";
      {
        const auto store = *ImageStore::open(root);
        (void)load_images(*store, source_of(docker_archive(old_image(), {"app"})), "old");
        const auto before = paths_under(root);
        const auto loaded = load_images(*store, source_of(archive), "new");
        if (!loaded) {
          ++failures;
          const std::string& message = loaded.error().message;
          if (message.find("No space left on device; free some space") == std::string::npos ||
              message.find('\n') != std::string::npos) {
            text += message + "; ";
          }
          if (paths_under(root) != before) text += cat("rubbish at ", kib, " KiB; ");
        }
      }
      (void)::umount2(folder.path().c_str(), MNT_DETACH);
    }
    if (text.empty()) text = !apart ? "no mount" : failures > 5 ? "fine" : "it always fits";
    if (::write(said[1], text.data(), text.size()) < 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(said[1]);
  const auto text = read_all(said[0], 1 << 16, "pipe");
  ::close(said[0]);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  if (*text == "no mount") GTEST_SKIP() << "SKIPPED: no mount namespace here";
  EXPECT_EQ(*text, "fine");
}

}  // namespace
}  // namespace minik::runtime
