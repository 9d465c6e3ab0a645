#include "runtime/image/content_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "tests/image/image_fixture.h"

namespace minik::runtime {
namespace {

ContentStore open_store(const TempFolder& folder) {
  auto store = ContentStore::open(folder / "store");
  EXPECT_TRUE(store.ok());
  return *store;
}

std::vector<std::string> blobs_and_rubbish(const TempFolder& folder) {
  std::vector<std::string> paths = paths_under(folder / "store/blobs");
  for (const std::string& path : paths_under(folder / "store/ingest")) {
    paths.push_back("ingest/" + path);
  }
  return paths;
}

TEST(ContentStore, GivesBackWhatItTook) {
  const TempFolder folder;
  const ContentStore store = open_store(folder);
  const auto blob = store.put("hello");
  ASSERT_OK(blob);
  EXPECT_EQ(blob->digest.text(),
            "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_EQ(*store.read(blob->digest, 100), "hello");
  EXPECT_EQ(store.size(blob->digest), 5);
  EXPECT_FALSE(store.has(Digest::of("other")));
  EXPECT_EQ(store.read(Digest::of("other"), 100).error().code, ErrorCode::kNotFound);
}

TEST(ContentStore, RefusesContentOfAnotherDigestAndKeepsNothing) {
  const TempFolder folder;
  const ContentStore store = open_store(folder);
  const auto before = blobs_and_rubbish(folder);
  {
    auto writer = store.writer();
    ASSERT_OK(writer);
    ASSERT_OK(writer->write("half"));
    const auto committed = writer->commit(Digest::of("whole"));
    ASSERT_FALSE(committed.ok());
    EXPECT_EQ(committed.error().code, ErrorCode::kInvalid);
  }
  EXPECT_EQ(blobs_and_rubbish(folder), before);
}

TEST(ContentStore, NoticesABlobThatTheDiskChanged) {
  const TempFolder folder;
  const ContentStore store = open_store(folder);
  const Digest digest = store.put("hello")->digest;
  ::chmod(store.blob_path(digest).c_str(), 0644);
  spill(store.blob_path(digest), "hellO");
  const auto read = store.read(digest, 100);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("damaged"), std::string::npos);
}

TEST(ContentStore, KilledWhileWritingLeavesNothingAfterTheNextOpen) {
  const TempFolder folder;
  { open_store(folder); }
  const auto before = blobs_and_rubbish(folder);
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = ContentStore::open(folder / "store");
    const auto lease = store->lease();
    auto writer = store->writer();
    const bool told =
        writer->write(std::string(1 << 20, 'x')).ok() && ::write(ready[1], "x", 1) == 1;
    if (!told) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  // While the writer lives, its temporary file is safe from another open.
  { open_store(folder); }
  EXPECT_NE(blobs_and_rubbish(folder), before);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_EQ(paths_under(folder / "store/blobs"), std::vector<std::string>{"sha256"});
  { open_store(folder); }
  EXPECT_EQ(blobs_and_rubbish(folder), before);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(ContentStore, AFullDiskIsOneErrorAndLeavesNothing) {
  if (!is_root()) GTEST_SKIP() << "SKIPPED: a small file system needs root to mount";
  const TempFolder folder;
  // The mount lives in the child's own mount namespace and goes with it.
  int said[2];
  ASSERT_EQ(::pipe(said), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text = "cannot mount";
    if (::unshare(CLONE_NEWNS) == 0 &&
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=256k") == 0) {
      const ContentStore store = open_store(folder);
      const auto put = store.put(std::string(1 << 20, 'x'));
      text = put.ok() ? "fits" : put.error().message;
      if (blobs_and_rubbish(folder).size() != 1) text += " RUBBISH";
    }
    if (::write(said[1], text.data(), text.size()) < 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(said[1]);
  const auto text = read_all(said[0], 4096, "pipe");
  ::close(said[0]);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ASSERT_OK(text);
  if (*text == "cannot mount") GTEST_SKIP() << "SKIPPED: no mount namespace here";
  EXPECT_NE(text->find("No space left"), std::string::npos) << *text;
  EXPECT_NE(text->find("minik image rm"), std::string::npos) << *text;
  EXPECT_EQ(text->find("RUBBISH"), std::string::npos) << *text;
}

TEST(ContentStore, NobodyCollectsWhileSomebodyAdds) {
  const TempFolder folder;
  const ContentStore store = open_store(folder);
  {
    const auto lease = store.lease();
    ASSERT_OK(lease);
    const auto lock = store.try_lock_for_removal();
    ASSERT_OK(lock);
    EXPECT_FALSE(lock->has_value());
  }
  const auto lock = store.try_lock_for_removal();
  ASSERT_OK(lock);
  EXPECT_TRUE(lock->has_value());
}

TEST(ContentStore, SaysWhereItCannotBe) {
  const auto store = ContentStore::open("/proc/no/store");
  ASSERT_FALSE(store.ok());
  EXPECT_NE(store.error().message.find("/proc/no"), std::string::npos);
}

}  // namespace
}  // namespace minik::runtime
