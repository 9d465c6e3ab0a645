#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "control/base/text.h"
#include "runtime/image/image_load.h"
#include "runtime/image/image_save.h"
#include "tests/image/image_fixture.h"

namespace minik::runtime {
namespace {

class LoadAndSave : public ::testing::Test {
 protected:
  LoadAndSave() : store_(*ImageStore::open(folder_ / "store")) {}

  Result<std::vector<ImageInfo>> load(const std::string& archive) {
    return load_images(*store_, source_of(archive), "busy.tar");
  }
  // The failure's message; nothing of the archive may be left.
  std::string refused(const std::string& archive) {
    const auto loaded = load(archive);
    EXPECT_FALSE(loaded.ok());
    EXPECT_TRUE(paths_under(folder_ / "store/blobs/sha256").empty());
    EXPECT_TRUE(paths_under(folder_ / "store/layers").empty());
    EXPECT_TRUE(paths_under(folder_ / "store/ingest").empty());
    EXPECT_TRUE(store_->list()->empty());
    const std::string text = loaded.ok() ? "" : loaded.error().message;
    EXPECT_TRUE(text.starts_with("load busy.tar: ")) << text;
    EXPECT_EQ(text.find('\n'), std::string::npos) << text;
    return text;
  }
  std::string root_of(const ImageInfo& image) { return store_->rootfs_layers(image)->front(); }

  TempFolder folder_;
  std::unique_ptr<ImageStore> store_;
};

MadeImage sample() {
  ImageConfig config;
  config.command = {"/x"};
  return image_of({{{folder("etc/"), ""}, {file("etc/a"), "a"}}, {{file("x", 0755), "1"}}}, config);
}

TEST_F(LoadAndSave, ReadDockerArchivesOfTheOldForm) {
  const auto loaded = load(docker_archive(sample(), {"app:1", "team/app:2"}));
  ASSERT_OK(loaded);
  ASSERT_EQ(loaded->size(), 1U);
  EXPECT_EQ(loaded->front().names,
            (std::vector<std::string>{"docker.io/library/app:1", "docker.io/team/app:2"}));
  EXPECT_EQ(loaded->front().config.command, std::vector<std::string>{"/x"});
  EXPECT_EQ(slurp(root_of(loaded->front()) + "/x"), "1");
  // What an archive holds beside its image is not kept: manifest, configuration, two layers.
  EXPECT_EQ(paths_under(folder_ / "store/blobs/sha256").size(), 4U);
}

TEST_F(LoadAndSave, ReadOciArchivesCompressedOrNot) {
  const std::string archive = oci_archive(sample(), "registry.test/app:1");
  for (const std::string& bytes : {archive, compressed(archive, Compression::kGzip),
                                   compressed(archive, Compression::kZstd)}) {
    const auto loaded = load(bytes);
    ASSERT_OK(loaded);
    EXPECT_EQ(loaded->front().names, std::vector<std::string>{"registry.test/app:1"});
    EXPECT_EQ(loaded->front().manifest, Digest::of(sample().manifest));
    ASSERT_OK(store_->remove("registry.test/app:1", {}));
  }
}

TEST_F(LoadAndSave, ReadCompressedLayers) {
  for (const Compression how : {Compression::kGzip, Compression::kZstd}) {
    const MadeImage image = image_of({{{file("x"), "1"}}}, how);
    for (const std::string& archive :
         {oci_archive(image, "a.b/app:1"), docker_archive(image, {"d"})}) {
      const auto loaded = load(archive);
      ASSERT_OK(loaded);
      EXPECT_EQ(slurp(root_of(loaded->front()) + "/x"), "1");
    }
  }
}

TEST_F(LoadAndSave, ReadALayoutFolder) {
  write_layout(folder_ / "layout", sample(), "app:1");
  const auto loaded = load_images(*store_, folder_ / "layout");
  ASSERT_OK(loaded);
  EXPECT_EQ(loaded->front().names, std::vector<std::string>{"docker.io/library/app:1"});
}

TEST_F(LoadAndSave, KeepAnImageWithoutARepositoryUnderItsId) {
  const auto loaded = load(oci_archive(sample(), "latest"));
  ASSERT_OK(loaded);
  EXPECT_TRUE(loaded->front().names.empty());
  EXPECT_TRUE(store_->find(loaded->front().id.text()).ok());
}

TEST_F(LoadAndSave, GiveAnImageTheNameThatIsAskedFor) {
  LoadOptions options;
  options.name = "wanted:3";
  const auto loaded =
      load_images(*store_, source_of(oci_archive(sample(), "latest")), "archive", options);
  ASSERT_OK(loaded);
  EXPECT_EQ(loaded->front().names, std::vector<std::string>{"docker.io/library/wanted:3"});
}

TEST_F(LoadAndSave, FollowLinksBetweenLayersOfAnArchive) {
  const MadeImage image = image_of({{{file("x"), "1"}}});
  ArchiveImage entry;
  entry.config = "c.json";
  entry.repo_tags = {"app:1"};
  entry.layers = {"b/layer.tar"};
  const auto loaded = load(tar_of({{file("a/layer.tar"), image.layers[0]},
                                   {symlink_to("b/layer.tar", "../a/layer.tar"), ""},
                                   {file("c.json"), image.config},
                                   {file("manifest.json"), write_archive_manifest({entry})}}));
  ASSERT_OK(loaded);
}

TEST_F(LoadAndSave, RefuseATruncatedArchive) {
  const std::string archive = docker_archive(sample(), {"app"});
  for (const size_t size :
       {size_t{0}, size_t{100}, size_t{700}, size_t{2000}, archive.size() / 2}) {
    refused(archive.substr(0, size));
  }
  const std::string gzip = compressed(archive, Compression::kGzip);
  EXPECT_NE(refused(gzip.substr(0, gzip.size() / 2)).find("truncated"), std::string::npos);
}

TEST_F(LoadAndSave, RefuseADamagedBlobAndNameIt) {
  MadeImage image = sample();
  const std::string good = oci_archive(image, "a.b/app:1");
  std::string bad = good;
  bad[bad.find("etc/a") + 600] ^= 1;
  const std::string text = refused(bad);
  EXPECT_NE(text.find("blobs/sha256/"), std::string::npos) << text;
}

TEST_F(LoadAndSave, RefuseALayerThatIsNotItsDiffId) {
  MadeImage image = sample();
  image.layers[1] = tar_of({{file("x"), "evil"}});
  EXPECT_NE(refused(docker_archive(image, {"app"})).find("layer1/layer.tar"), std::string::npos);
}

TEST_F(LoadAndSave, RefuseAMissingLayerOrBlob) {
  const MadeImage image = sample();
  ArchiveImage entry;
  entry.config = "c.json";
  entry.layers = {"a/layer.tar", "b/layer.tar"};
  const std::string text =
      refused(tar_of({{file("a/layer.tar"), image.layers[0]},
                      {file("c.json"), image.config},
                      {file("manifest.json"), write_archive_manifest({entry})}}));
  EXPECT_NE(text.find("b/layer.tar"), std::string::npos) << text;

  MadeImage incomplete = image;
  incomplete.layers.pop_back();
  EXPECT_NE(refused(oci_archive(incomplete, "a.b/app:1")).find("missing"), std::string::npos);
}

TEST_F(LoadAndSave, RefuseEntriesThatLeadOut) {
  EXPECT_NE(refused(tar_of({{file("../../etc/passwd"), "x"}})).find("etc/passwd"),
            std::string::npos);
  EXPECT_NE(refused(tar_of({{symlink_to("a/layer.tar", "../../x"), ""}})).find("a/layer.tar"),
            std::string::npos);
  EXPECT_NE(refused(tar_of({{symlink_to("a", "/etc/passwd"), ""}})).find("links out"),
            std::string::npos);
}

TEST_F(LoadAndSave, RefuseWhatIsNoImageArchive) {
  EXPECT_NE(refused(tar_of({{file("readme"), "hello"}})).find("docker save"), std::string::npos);
  refused("hello");
  refused("");
  refused(std::string(10240, '\0'));
  refused(tar_of({{file("manifest.json"), "[{]"}}));
  refused(tar_of({{file("manifest.json"), "{}"}}));
  refused(tar_of({{file("manifest.json"), R"([{"Config":7}])"}}));
  refused(tar_of({{file("manifest.json"), R"([{"Config":"../c","Layers":[]}])"}}));
  refused(tar_of({{file("index.json"), R"({"schemaVersion":2,"manifests":[{"digest":"x"}]})"}}));
  refused(tar_of({{file("index.json"), R"({"schemaVersion":2,"manifests":[]})"}}));
}

TEST_F(LoadAndSave, ALayerThatLeadsOutIsRefusedWithItsEntry) {
  const MadeImage image = image_of({{{file("../../../x"), "1"}}});
  const std::string text = refused(docker_archive(image, {"app"}));
  EXPECT_NE(text.find("../../../x"), std::string::npos) << text;
}

TEST_F(LoadAndSave, SaidWhereThereIsNoArchive) {
  const auto loaded = load_images(*store_, "/no/such/file.tar");
  ASSERT_FALSE(loaded.ok());
  EXPECT_EQ(loaded.error().code, ErrorCode::kNotFound);
}

TEST_F(LoadAndSave, RoundTripThroughAnArchive) {
  const auto loaded = load(docker_archive(sample(), {"app:1"}));
  ASSERT_OK(loaded);
  ASSERT_OK(store_->tag("app:1", "other/app:2"));
  ASSERT_OK(save_images(*store_, {"app:1", "other/app:2"}, folder_ / "out.tar"));
  ASSERT_OK(save_images(*store_, {"app:1", "other/app:2"}, folder_ / "again.tar"));
  EXPECT_EQ(slurp(folder_ / "out.tar"), slurp(folder_ / "again.tar"));
  auto second = *ImageStore::open(folder_ / "second");
  const auto again = load_images(*second, folder_ / "out.tar");
  ASSERT_OK(again);
  ASSERT_EQ(again->size(), 1U);
  EXPECT_EQ(again->front().manifest, loaded->front().manifest);
  EXPECT_EQ(again->front().names,
            (std::vector<std::string>{"docker.io/library/app:1", "docker.io/other/app:2"}));
  EXPECT_FALSE(save_images(*store_, {"missing"}, folder_ / "no.tar").ok());
  EXPECT_FALSE(std::filesystem::exists(folder_ / "no.tar"));
}

TEST_F(LoadAndSave, WorkWithSkopeo) {
  if (!have("skopeo")) GTEST_SKIP() << "SKIPPED: skopeo is not installed";
  const auto loaded = load(docker_archive(sample(), {"app:1"}));
  ASSERT_OK(loaded);
  ASSERT_OK(save_images(*store_, {"app:1"}, folder_ / "out.tar"));
  const std::string copy = "cd " + folder_.path() + " && skopeo --insecure-policy copy -q ";
  ASSERT_EQ(
      output_of(copy + "docker-archive:out.tar:docker.io/library/app:1 oci:oci:app:9 && echo ok"),
      "ok\n");
  ASSERT_EQ(output_of(copy + "oci-archive:out.tar docker-archive:docker.tar:sk/app:8 && echo ok"),
            "ok\n");
  // The store itself is a layout.
  ASSERT_EQ(
      output_of(copy + "oci:store:docker.io/library/app:1 oci-archive:own.tar:app:7 && echo ok"),
      "ok\n");
  const auto layout = load_images(*store_, folder_ / "oci");
  ASSERT_OK(layout);
  EXPECT_EQ(layout->front().names.front(), "docker.io/library/app:1");
  const auto docker = load_images(*store_, folder_ / "docker.tar");
  ASSERT_OK(docker);
  const auto own = load_images(*store_, folder_ / "own.tar");
  ASSERT_OK(own);
  for (const char* name : {"app:9", "sk/app:8", "app:7"}) {
    const auto image = store_->find(name);
    ASSERT_OK(image);
    EXPECT_EQ(slurp(root_of(*image) + "/x"), "1");
    EXPECT_EQ(image->config.diff_ids, loaded->front().config.diff_ids);
  }
}

TEST_F(LoadAndSave, WorkWithUmoci) {
  if (!have("umoci")) GTEST_SKIP() << "SKIPPED: umoci is not installed";
  const std::string made = output_of(
      "cd " + folder_.path() +
      " && { umoci init --layout oci && umoci new --image oci:app && "
      "mkdir -p tree/d && echo 1 > tree/d/f && "
      "umoci insert --rootless --image oci:app tree /data && "
      "umoci insert --rootless --image oci:app --whiteout /data/d/f && "
      "umoci config --image oci:app --config.cmd /bin/true; } >/dev/null 2>&1 && echo ok");
  if (made != "ok\n") GTEST_SKIP() << "SKIPPED: umoci cannot make an image here";
  LoadOptions options;
  options.name = "made/by:umoci";
  const auto loaded = load_images(*store_, folder_ / "oci", options);
  ASSERT_OK(loaded);
  EXPECT_EQ(loaded->front().config.command, std::vector<std::string>{"/bin/true"});
  const auto lowers = store_->rootfs_layers(loaded->front());
  ASSERT_OK(lowers);
  ASSERT_EQ(lowers->size(), 2U);
  EXPECT_EQ(slurp((*lowers)[1] + "/data/d/f"), "1\n");
  EXPECT_EQ(std::filesystem::status((*lowers)[0] + "/data/d/f").type(),
            std::filesystem::file_type::character);
}

}  // namespace
}  // namespace minik::runtime
