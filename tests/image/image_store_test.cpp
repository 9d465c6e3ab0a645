#include "runtime/image/image_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

#include "control/base/text.h"
#include "tests/image/image_fixture.h"

namespace minik::runtime {
namespace {

class Images : public ::testing::Test {
 protected:
  Images() : store_(*ImageStore::open(folder_ / "store")) {}

  ImageInfo load(const MadeImage& image, const std::string& name) {
    auto loaded = load_images(*store_, source_of(docker_archive(image, {name})), "archive");
    EXPECT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(loaded->size(), 1U);
    return loaded->front();
  }
  std::vector<std::string> names() {
    std::vector<std::string> all;
    const auto listed = store_->list();
    for (const ImageInfo& image : *listed) {
      all.insert(all.end(), image.names.begin(), image.names.end());
      if (image.names.empty()) all.push_back("<none>");
    }
    return all;
  }
  size_t blobs() { return paths_under(folder_ / "store/blobs/sha256").size(); }
  size_t layers() {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "store/layers")) {
      count += entry.is_directory() ? 1 : 0;
    }
    return count;
  }

  TempFolder folder_;
  std::unique_ptr<ImageStore> store_;
};

MadeImage small(const std::string& text) {
  return image_of({{{file("x"), text}}});
}

MadeImage two_layers(const std::string& text) {
  return image_of({{{folder("base/"), ""}, {file("base/b"), "shared"}}, {{file("x"), text}}});
}

TEST_F(Images, AreFoundByEveryFormOfTheirName) {
  const ImageInfo image = load(small("1"), "app:1");
  for (const std::string& name : std::vector<std::string>{
           "app:1", "docker.io/library/app:1", "library/app:1", image.id.text(),
           std::string(image.id.hex()), std::string(image.id.hex().substr(0, 12)),
           "app@" + image.target.text(), "app:other@" + image.target.text()}) {
    const auto found = store_->find(name);
    ASSERT_TRUE(found.ok()) << name << ": " << found.error().message;
    EXPECT_EQ(found->id, image.id);
    EXPECT_EQ(found->names, std::vector<std::string>{"docker.io/library/app:1"});
  }
  EXPECT_EQ(store_->find("app").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->find("other@" + image.target.text()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->find("a b").error().code, ErrorCode::kInvalid);
}

TEST_F(Images, TellWhatTheirConfigurationSays) {
  ImageConfig config;
  config.user = "1000:1000";
  config.working_dir = "/srv";
  config.stop_signal = "SIGQUIT";
  config.entrypoint = {"/x"};
  config.command = {"--serve"};
  config.env = {"A=1", "B=2"};
  config.exposed_ports = {"443/tcp", "80/tcp"};
  config.volumes = {"/data"};
  config.labels = {{"k", "v"}};
  config.created = "2024-01-02T03:04:05Z";
  const ImageInfo image = load(image_of({{{file("x"), "1"}}}, config), "app");
  config.platform = host_platform();
  config.diff_ids = image.config.diff_ids;
  EXPECT_EQ(image.config, config);
  EXPECT_EQ(image.chain_ids, image.config.diff_ids);
  EXPECT_GT(image.size_bytes, 0);
}

TEST_F(Images, SurviveReopening) {
  const ImageInfo image = load(small("1"), "app");
  store_.reset();
  store_ = *ImageStore::open(folder_ / "store");
  EXPECT_EQ(store_->find("app")->id, image.id);
}

TEST_F(Images, GiveTheirLayersTopmostFirst) {
  const ImageInfo image = load(two_layers("1"), "app");
  const auto lowers = store_->rootfs_layers(image);
  ASSERT_OK(lowers);
  ASSERT_EQ(lowers->size(), 2U);
  EXPECT_EQ(slurp((*lowers)[0] + "/x"), "1");
  EXPECT_EQ(slurp((*lowers)[1] + "/base/b"), "shared");
}

TEST_F(Images, AreUnpackedWhenFirstUsedIfNotBefore) {
  LoadOptions later;
  later.unpack = ImageStore::Unpack::kLater;
  const auto loaded =
      load_images(*store_, source_of(docker_archive(small("1"), {"app"})), "archive", later);
  ASSERT_OK(loaded);
  EXPECT_EQ(layers(), 0U);
  ASSERT_OK(store_->rootfs_layers(loaded->front()));
  EXPECT_EQ(layers(), 1U);
}

TEST_F(Images, TakeMoreNames) {
  load(small("1"), "app:1");
  ASSERT_OK(store_->tag("app:1", "localhost:5000/team/app:stable"));
  EXPECT_EQ(names(), (std::vector<std::string>{"docker.io/library/app:1",
                                               "localhost:5000/team/app:stable"}));
  EXPECT_EQ(store_->tag("missing", "x").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store_->tag("app:1", "Bad Name").error().code, ErrorCode::kInvalid);
}

TEST_F(Images, LoseAMovedNameButStay) {
  const ImageInfo first = load(small("1"), "app");
  const ImageInfo second = load(small("2"), "app");
  EXPECT_EQ(store_->find("app")->id, second.id);
  EXPECT_EQ(names(), (std::vector<std::string>{"docker.io/library/app:latest", "<none>"}));
  EXPECT_TRUE(store_->find(first.id.text()).ok());
  ASSERT_OK(store_->rootfs_layers(*store_->find(first.id.text())));
}

TEST_F(Images, GoWithTheirLastNameAndKeepWhatOthersShare) {
  load(two_layers("1"), "one");
  load(two_layers("2"), "two");
  ASSERT_OK(store_->tag("one", "uno"));
  EXPECT_EQ(blobs(), 7U);  // 2 manifests, 2 configurations, 3 layers
  EXPECT_EQ(layers(), 3U);
  const auto first = store_->remove("one", {});
  ASSERT_OK(first);
  EXPECT_FALSE(first->deleted);
  EXPECT_EQ(first->untagged, std::vector<std::string>{"docker.io/library/one:latest"});
  EXPECT_EQ(blobs(), 7U);
  const auto second = store_->remove("uno", {});
  ASSERT_OK(second);
  EXPECT_TRUE(second->deleted);
  EXPECT_EQ(blobs(), 4U);
  EXPECT_EQ(layers(), 2U);
  EXPECT_TRUE(store_->rootfs_layers(*store_->find("two")).ok());
}

TEST_F(Images, GoWithAllNamesWhenRemovedById) {
  const ImageInfo image = load(small("1"), "one");
  ASSERT_OK(store_->tag("one", "two"));
  const auto removed = store_->remove(image.id.text(), {});
  ASSERT_OK(removed);
  EXPECT_EQ(removed->untagged.size(), 2U);
  EXPECT_TRUE(names().empty());
  EXPECT_EQ(blobs(), 0U);
  EXPECT_EQ(store_->remove("one", {}).error().code, ErrorCode::kNotFound);
}

TEST_F(Images, InUseAreNotRemoved) {
  const ImageInfo image = load(small("1"), "app");
  const auto removed = store_->remove("app", {image.id});
  ASSERT_FALSE(removed.ok());
  EXPECT_EQ(removed.error().code, ErrorCode::kConflict);
  EXPECT_EQ(names(), std::vector<std::string>{"docker.io/library/app:latest"});
}

TEST_F(Images, WithoutANameArePrunedUnlessInUse) {
  const ImageInfo first = load(small("1"), "app");
  load(small("2"), "app");
  ASSERT_OK(store_->prune({first.id}));
  EXPECT_EQ(names().size(), 2U);
  ASSERT_OK(store_->prune({}));
  EXPECT_EQ(names(), std::vector<std::string>{"docker.io/library/app:latest"});
  EXPECT_EQ(layers(), 1U);
}

TEST_F(Images, SayWhenABlobIsMissing) {
  const ImageInfo image = load(small("1"), "app");
  std::filesystem::remove(folder_ / ("store/blobs/sha256/" + std::string(image.id.hex())));
  store_ = *ImageStore::open(folder_ / "store");
  const auto found = store_->find("app");
  ASSERT_FALSE(found.ok());
  EXPECT_NE(found.error().message.find(image.id.text()), std::string::npos);
  EXPECT_TRUE(store_->list().ok());
  // Loading it again heals it.
  load(small("1"), "app");
  EXPECT_TRUE(store_->find("app").ok());
  std::filesystem::remove(folder_ / ("store/blobs/sha256/" + std::string(image.id.hex())));
  store_ = *ImageStore::open(folder_ / "store");
  EXPECT_TRUE(store_->remove("app", {}).ok());
}

TEST_F(Images, KeepTheirContentWhileAManifestCannotBeRead) {
  const ImageInfo image = load(small("1"), "app");
  const std::string manifest = store_->content().blob_path(image.manifest);
  const std::string text = slurp(manifest);
  std::filesystem::permissions(manifest, std::filesystem::perms::owner_all);
  spill(manifest, "{}");
  load(small("2"), "other");
  EXPECT_FALSE(store_->collect_garbage().ok());
  spill(manifest, text);
  store_ = *ImageStore::open(folder_ / "store");
  EXPECT_TRUE(store_->find("app").ok());
  EXPECT_TRUE(store_->rootfs_layers(*store_->find("app")).ok());
}

TEST_F(Images, OfSeveralPlatformsGiveTheHosts) {
  const auto lease = store_->content().lease();
  Index index;
  std::vector<Digest> manifests;
  for (const char* architecture : {"s390x", "amd64", "arm64"}) {
    const MadeImage image = small(architecture);
    for (const std::string& blob : {image.layers[0], image.config, image.manifest}) {
      ASSERT_OK(store_->content().put(blob));
    }
    Descriptor entry;
    entry.media_type = media_type::kManifest;
    entry.digest = Digest::of(image.manifest);
    entry.size = static_cast<int64_t>(image.manifest.size());
    entry.platform = {"linux", architecture, ""};
    index.manifests.push_back(entry);
  }
  const std::string document = write_index(index);
  Descriptor target;
  target.media_type = media_type::kIndex;
  target.digest = store_->content().put(document)->digest;
  target.size = static_cast<int64_t>(document.size());
  const auto image = store_->adopt(target, {"multi"}, ImageStore::Unpack::kNow, *lease);
  ASSERT_OK(image);
  EXPECT_EQ(image->target, target.digest);
  EXPECT_EQ(slurp(store_->rootfs_layers(*image)->front() + "/x"), host_platform().architecture);
}

TEST_F(Images, ForAnotherMachineAreRefusedByName) {
  const auto lease = store_->content().lease();
  const MadeImage made = small("1");
  ASSERT_OK(store_->content().put(made.manifest));
  Index index;
  index.manifests.resize(1);
  index.manifests[0].digest = Digest::of(made.manifest);
  index.manifests[0].platform = {"linux", "s390x", ""};
  const auto blob = store_->content().put(write_index(index));
  Descriptor target;
  target.digest = blob->digest;
  const auto image = store_->adopt(target, {"multi"}, ImageStore::Unpack::kNow, *lease);
  ASSERT_FALSE(image.ok());
  EXPECT_NE(image.error().message.find("linux/s390x"), std::string::npos) << image.error().message;
}

TEST_F(Images, ManyThreadsAndProcessesKeepOneIndex) {
  load(small("1"), "app");
  constexpr int kProcesses = 3, kThreads = 3, kTags = 5;
  std::vector<pid_t> children;
  for (int p = 0; p < kProcesses; ++p) {
    const pid_t child = ::fork();
    if (child == 0) {
      const auto store = ImageStore::open(folder_ / "store");
      std::vector<std::thread> threads;
      std::vector<int> failures(kThreads);
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < kTags; ++i) {
            const std::string name = cat("app:p", p, "t", t, "n", i);
            failures[static_cast<size_t>(t)] += (*store)->tag("app", name).ok() ? 0 : 1;
            const bool drop = i % 2 == 1;
            if (drop) failures[static_cast<size_t>(t)] += (*store)->remove(name, {}).ok() ? 0 : 1;
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
      int sum = 0;
      for (const int count : failures) sum += count;
      ::_exit(sum);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(names().size(), 1U + kProcesses * kThreads * 3U);
  EXPECT_TRUE(paths_under(folder_ / "store/ingest").empty());
}

TEST_F(Images, KilledWhileLoadingLeaveTheStoreAsItWas) {
  load(small("1"), "app");
  const auto before = paths_under(folder_ / "store");
  const std::string archive =
      docker_archive(image_of({{{file("big"), std::string(4 << 20, 'x')}}}), {"big"});
  // The source stops half way, which is where the kill comes.
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const auto store = ImageStore::open(folder_ / "store");
    size_t at = 0;
    const ByteSource source = [&](char* buffer, size_t capacity) -> Result<size_t> {
      if (at > archive.size() / 2) {
        if (::write(ready[1], "x", 1) == 1) ::pause();
        ::_exit(0);
      }
      const size_t count = std::min(capacity, archive.size() - at);
      std::copy_n(archive.data() + at, count, buffer);
      at += count;
      return count;
    };
    (void)load_images(**store, source, "archive");
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  ::close(ready[0]);
  ::close(ready[1]);
  store_ = *ImageStore::open(folder_ / "store");
  ASSERT_OK(store_->collect_garbage());
  EXPECT_EQ(paths_under(folder_ / "store"), before);
}

}  // namespace
}  // namespace minik::runtime
