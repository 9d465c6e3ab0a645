#include "runtime/image/layers.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>

#include "tests/image/image_fixture.h"

namespace minik::runtime {
namespace {

class Layers : public ::testing::Test {
 protected:
  Layers()
      : content_(*ContentStore::open(folder_ / "store")), layers_(*LayerStore::open(content_)) {}

  LayerStore::Layer stored(const std::string& blob, const std::string& tar) {
    const Digest digest = content_.put(blob)->digest;
    return {digest, Digest::of(tar), Digest::of(tar)};
  }
  LayerStore::Layer stored(const TarContent& content) {
    const std::string tar = tar_of(content);
    return stored(tar, tar);
  }
  // The path of the unpacked layer; the failure's message when it does not unpack.
  std::string unpack(const TarContent& content, const std::vector<std::string>& lowers = {}) {
    const LayerStore::Layer layer = stored(content);
    const auto done = layers_.unpack(layer, lowers);
    return done.ok() ? layers_.path(layer.chain_id) : done.error().message;
  }
  std::string opaque_name() const { return layers_.privileges().xattr_prefix + "opaque"; }
  bool nothing_left() {
    return paths_under(folder_ / "store/ingest").empty() &&
           paths_under(folder_ / "store/layers").empty();
  }

  TempFolder folder_;
  ContentStore content_;
  LayerStore layers_;
};

struct stat look(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

std::string attribute(const std::string& path, const std::string& name) {
  char value[256];
  const ssize_t size = ::lgetxattr(path.c_str(), name.c_str(), value, sizeof value);
  return size < 0 ? "" : std::string(value, static_cast<size_t>(size));
}

TEST_F(Layers, UnpackFilesWithModesTimesAndLinks) {
  LayerEntry setuid = file("usr/bin/su", 04755);
  const std::string root = unpack({{folder("usr/"), ""},
                                   {folder("usr/bin/", 0555), ""},
                                   {setuid, "#!"},
                                   {hard_link_to("usr/bin/su2", "usr/bin/su"), ""},
                                   {symlink_to("bin", "usr/bin"), ""},
                                   {file("usr/bin/late"), "in a read-only folder"}});
  EXPECT_EQ(look(root + "/usr/bin/su").st_mode & 07777, 04755U);
  EXPECT_EQ(look(root + "/usr/bin/su").st_ino, look(root + "/usr/bin/su2").st_ino);
  EXPECT_EQ(look(root + "/usr/bin").st_mode & 07777, 0555U);
  EXPECT_EQ(look(root + "/usr/bin").st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(look(root + "/usr/bin/su").st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(std::filesystem::read_symlink(root + "/bin"), "usr/bin");
  EXPECT_EQ(slurp(root + "/usr/bin/late"), "in a read-only folder");
  EXPECT_EQ(look(root).st_mode & 07777, 0755U);
}

TEST_F(Layers, UnpackOwnersDevicesAndCapabilitiesAsRoot) {
  if (!layers_.privileges().owners || !layers_.privileges().devices) {
    GTEST_SKIP() << "SKIPPED: owners and device nodes need root";
  }
  LayerEntry owned = file("owned", 0640);
  owned.uid = 1234;
  owned.gid = 70000;
  // cap_net_bind_service=ep, revision 2
  const std::string capability(
      "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00"
      "\x00\x00\x00\x00\x00\x00\x00\x00",
      20);
  owned.xattrs = {{"security.capability", capability}};
  LayerEntry device = file("null", 0666);
  device.type = LayerEntry::Type::kCharacter;
  device.device = makedev(1, 3);
  LayerEntry fifo = file("fifo", 0600);
  fifo.type = LayerEntry::Type::kFifo;
  LayerEntry link = symlink_to("link", "owned");
  link.uid = 4321;
  const std::string root = unpack({{owned, "x"}, {device, ""}, {fifo, ""}, {link, ""}});
  EXPECT_EQ(look(root + "/owned").st_uid, 1234U);
  EXPECT_EQ(look(root + "/owned").st_gid, 70000U);
  EXPECT_EQ(look(root + "/owned").st_mode & 07777, 0640U);
  EXPECT_EQ(attribute(root + "/owned", "security.capability"), capability);
  EXPECT_TRUE(S_ISCHR(look(root + "/null").st_mode));
  EXPECT_EQ(look(root + "/null").st_rdev, makedev(1, 3));
  EXPECT_TRUE(S_ISFIFO(look(root + "/fifo").st_mode));
  EXPECT_EQ(look(root + "/link").st_uid, 4321U);
}

TEST_F(Layers, UnpackNamesThatAreNotAscii) {
  const std::string long_name = "d/" + std::string(200, 'n') + "/" + std::string(200, 'm');
  const std::string root = unpack({{file("caf\xc3\xa9"), "1"}, {file(long_name), "2"}});
  EXPECT_EQ(slurp(root + "/caf\xc3\xa9"), "1");
  EXPECT_EQ(slurp(root + "/" + long_name), "2");
}

TEST_F(Layers, TurnWhiteoutsIntoOverlayMarks) {
  const std::string root = unpack({{folder("etc/"), ""},
                                   {file("etc/.wh.gone"), ""},
                                   {folder("var/"), ""},
                                   {file("var/.wh..wh..opq"), ""},
                                   {file("var/new"), "n"},
                                   {file(".wh..wh.plnk"), ""}});
  const struct stat gone = look(root + "/etc/gone");
  EXPECT_TRUE(S_ISCHR(gone.st_mode));
  EXPECT_EQ(gone.st_rdev, makedev(0, 0));
  EXPECT_EQ(attribute(root + "/var", opaque_name()), "y");
  EXPECT_EQ(attribute(root + "/etc", opaque_name()), "");
  EXPECT_EQ(paths_under(root), (std::vector<std::string>{"etc", "etc/gone", "var", "var/new"}));
}

TEST_F(Layers, AWhiteoutHidesOnlyWhatLiesBelowTheLayer) {
  const std::string root = unpack({{folder("a/"), ""},
                                   {file("a/x"), "new"},
                                   {file(".wh.a"), ""},
                                   {file(".wh.b"), ""},
                                   {folder("b/"), ""},
                                   {file("b/y"), "new"},
                                   {file(".wh.f"), ""},
                                   {file("f"), "new"}});
  EXPECT_EQ(slurp(root + "/a/x"), "new");
  EXPECT_EQ(attribute(root + "/a", opaque_name()), "y");
  EXPECT_EQ(slurp(root + "/b/y"), "new");
  EXPECT_EQ(attribute(root + "/b", opaque_name()), "y");
  EXPECT_EQ(slurp(root + "/f"), "new");
}

TEST_F(Layers, ALayerCannotForgeOverlayMarks) {
  LayerEntry forged = folder("d/");
  forged.xattrs = {{"trusted.overlay.redirect", "/etc"}, {"user.overlay.redirect", "/etc"}};
  const std::string root = unpack({{forged, ""}});
  EXPECT_EQ(attribute(root + "/d", "trusted.overlay.redirect"), "");
  EXPECT_EQ(attribute(root + "/d", "user.overlay.redirect"), "");
}

TEST_F(Layers, ImpliedFoldersLookLikeTheOnesBelow) {
  const std::string below = unpack({{folder("tmp/", 01777), ""}});
  const std::string root = unpack({{file("tmp/x"), "1"}, {file("fresh/y"), "2"}}, {below});
  EXPECT_EQ(look(root + "/tmp").st_mode & 07777, 01777U);
  EXPECT_EQ(look(root + "/fresh").st_mode & 07777, 0755U);
}

TEST_F(Layers, LaterEntriesReplaceEarlierOnes) {
  const std::string root = unpack({{folder("d/"), ""},
                                   {file("d/in"), "1"},
                                   {file("d"), "now a file"},
                                   {file("e"), "1"},
                                   {folder("e/"), ""},
                                   {file("e/in"), "2"},
                                   {symlink_to("s", "/etc/passwd"), ""},
                                   {file("s"), "not through the link"}});
  EXPECT_EQ(slurp(root + "/d"), "now a file");
  EXPECT_EQ(slurp(root + "/e/in"), "2");
  EXPECT_EQ(slurp(root + "/s"), "not through the link");
}

TEST_F(Layers, LinksResolveInsideTheLayerAndNeverOutside) {
  const TempFolder outside;
  const std::string root = unpack({{folder("real/"), ""},
                                   {symlink_to("in", "/real"), ""},
                                   {file("in/x"), "inside"},
                                   {folder("deep/"), ""},
                                   {symlink_to("deep/up", "../../../../real"), ""},
                                   {file("deep/up/y"), "inside"}});
  EXPECT_EQ(slurp(root + "/real/x"), "inside");
  EXPECT_EQ(slurp(root + "/real/y"), "inside");
  const std::string text =
      unpack({{symlink_to("out", outside.path()), ""}, {file("out/x"), "outside"}});
  EXPECT_TRUE(paths_under(outside.path()).empty());
  EXPECT_NE(text.find("out/x"), std::string::npos) << text;
}

TEST_F(Layers, RefuseToLeaveTheLayer) {
  spill(folder_ / "victim", "safe");
  for (const TarContent& evil :
       {TarContent{{file("../../victim"), "x"}}, TarContent{{file("a/../../../victim"), "x"}},
        TarContent{{hard_link_to("h", "../../../victim"), ""}},
        TarContent{{symlink_to("l", "/"), ""}, {hard_link_to("h", "l/../../victim"), ""}},
        TarContent{{folder("d/"), ""}, {file("d/.wh..."), ""}, {file("d/.wh..", 0), ""}}}) {
    const std::string text = unpack(evil);
    EXPECT_NE(text.find("entry "), std::string::npos) << text;
  }
  EXPECT_EQ(slurp(folder_ / "victim"), "safe");
  EXPECT_TRUE(nothing_left());
}

TEST_F(Layers, AbsoluteNamesStayInside) {
  const std::string root = unpack({{file("/abs/x"), "1"}});
  EXPECT_EQ(slurp(root + "/abs/x"), "1");
}

TEST_F(Layers, RefuseAStreamThatIsNotTheDiffId) {
  const std::string tar = tar_of({{file("x"), "1"}});
  LayerStore::Layer layer = stored(tar, tar);
  layer.diff_id = Digest::of("something else");
  const auto done = layers_.unpack(layer, {});
  ASSERT_FALSE(done.ok());
  EXPECT_NE(done.error().message.find(layer.diff_id.text()), std::string::npos);
  EXPECT_TRUE(nothing_left());
}

TEST_F(Layers, RefuseTruncatedStreamsAndLeaveNothing) {
  const std::string tar = tar_of({{file("x"), std::string(100'000, 'x')}, {file("y"), "1"}});
  const std::string gzip = compressed(tar, Compression::kGzip);
  const std::string zstd = compressed(tar, Compression::kZstd);
  for (const std::string& blob : std::vector<std::string>{
           tar.substr(0, 50'000), gzip.substr(0, gzip.size() / 2), gzip.substr(0, gzip.size() - 4),
           zstd.substr(0, zstd.size() / 2), "not an archive", "\x1f\x8b\x08", ""}) {
    EXPECT_FALSE(layers_.unpack(stored(blob, tar), {}).ok()) << blob.size();
    EXPECT_TRUE(nothing_left());
  }
}

TEST_F(Layers, ReadGzipAndZstdAndTrailingPadding) {
  for (const Compression how : {Compression::kGzip, Compression::kZstd}) {
    const std::string tar = tar_of({{file("x"), how == Compression::kGzip ? "gzip" : "zstd"}}) +
                            std::string(20'480, '\0');
    const LayerStore::Layer layer = stored(compressed(tar, how), tar);
    ASSERT_OK(layers_.unpack(layer, {}));
    EXPECT_EQ(slurp(layers_.path(layer.chain_id) + "/x"),
              how == Compression::kGzip ? "gzip" : "zstd");
  }
}

TEST_F(Layers, KeepHolesOfSparseFiles) {
  if (!have("tar")) GTEST_SKIP() << "SKIPPED: no GNU tar to make a sparse archive";
  const std::string made = output_of("cd " + folder_.path() +
                                     " && truncate -s 64M sparse && printf end >> sparse && "
                                     "tar -S --format=gnu -cf sparse.tar sparse && tar -S "
                                     "--format=posix -cf pax.tar sparse && echo ok");
  ASSERT_EQ(made, "ok\n");
  for (const char* name : {"sparse.tar", "pax.tar"}) {
    const std::string tar = slurp(folder_ / name);
    const LayerStore::Layer layer = stored(tar, tar);
    ASSERT_OK(layers_.unpack(layer, {}));
    const struct stat status = look(layers_.path(layer.chain_id) + "/sparse");
    EXPECT_EQ(status.st_size, (64 << 20) + 3);
    EXPECT_LT(status.st_blocks * 512, 1 << 20);
  }
}

TEST_F(Layers, ManyThreadsUnpackOneLayerOnce) {
  TarContent content;
  for (int i = 0; i < 200; ++i) content.emplace_back(file("f" + std::to_string(i)), "x");
  const LayerStore::Layer layer = stored(content);
  std::vector<std::thread> threads;
  std::vector<int> failures(8);
  for (size_t i = 0; i < failures.size(); ++i) {
    threads.emplace_back([&, i] { failures[i] = layers_.unpack(layer, {}).ok() ? 0 : 1; });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(failures, std::vector<int>(8));
  EXPECT_EQ(paths_under(layers_.path(layer.chain_id)).size(), 200U);
  EXPECT_TRUE(paths_under(folder_ / "store/ingest").empty());
}

TEST_F(Layers, MountTogetherAsTheImageMeans) {
  if (!is_root()) GTEST_SKIP() << "SKIPPED: mounting overlayfs needs root";
  const std::string base = unpack({{folder("etc/"), ""},
                                   {file("etc/gone"), "1"},
                                   {file("etc/stays"), "1"},
                                   {folder("var/"), ""},
                                   {file("var/old"), "1"}});
  const std::string top = unpack({{folder("etc/"), ""},
                                  {file("etc/.wh.gone"), ""},
                                  {folder("var/"), ""},
                                  {file("var/.wh..wh..opq"), ""},
                                  {file("var/new"), "2"}},
                                 {base});
  int said[2];
  ASSERT_EQ(::pipe(said), 0);
  std::filesystem::create_directories(folder_ / "merged");
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text = "cannot mount";
    const std::string options = "lowerdir=" + top + ":" + base;
    if (::unshare(CLONE_NEWNS) == 0 &&
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount("overlay", (folder_ / "merged").c_str(), "overlay", 0, options.c_str()) == 0) {
      text.clear();
      for (const std::string& path : paths_under(folder_ / "merged")) text += path + " ";
    }
    if (::write(said[1], text.data(), text.size()) < 0) ::_exit(1);
    ::_exit(0);
  }
  ::close(said[1]);
  const auto text = read_all(said[0], 4096, "pipe");
  ::close(said[0]);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  if (*text == "cannot mount") GTEST_SKIP() << "SKIPPED: no overlayfs here";
  EXPECT_EQ(*text, "etc etc/stays var var/new ");
}

}  // namespace
}  // namespace minik::runtime
