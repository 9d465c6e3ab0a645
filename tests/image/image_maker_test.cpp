#include "runtime/image/image_maker.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "runtime/image/elf_libraries.h"
#include "tests/image/image_fixture.h"

namespace minik::runtime {
namespace {

BuiltInImage demo_of(const std::string& executable) {
  BuiltInImage image;
  image.executable = executable;
  image.entrypoint = {"/minik", "demo"};
  image.exposed_ports = {"8080/tcp"};
  return image;
}

TEST(BuiltInImage, HoldsTheProgramItsLibrariesAndAMinimalRoot) {
  const TempFolder folder;
  const auto store = *ImageStore::open(folder / "store");
  const auto image = make_image(*store, demo_of("/bin/echo"));
  ASSERT_OK(image);
  EXPECT_EQ(image->names, std::vector<std::string>{"docker.io/minik/demo:latest"});
  EXPECT_EQ(image->config.entrypoint, (std::vector<std::string>{"/minik", "demo"}));
  const std::string root = store->rootfs_layers(*image)->front();
  EXPECT_EQ(std::filesystem::file_size(root + "/minik"), std::filesystem::file_size("/bin/echo"));
  EXPECT_NE(slurp(root + "/etc/passwd").find("root:x:0:0"), std::string::npos);
  struct stat tmp {};
  ASSERT_EQ(::stat((root + "/tmp").c_str(), &tmp), 0);
  EXPECT_EQ(tmp.st_mode & 07777, 01777U);
  if (!is_root()) GTEST_SKIP() << "SKIPPED: running the program in its image needs chroot";
  EXPECT_EQ(output_of("chroot " + root + " /minik from inside"), "from inside\n");
}

TEST(BuiltInImage, HasTheSameDigestEverywhere) {
  const TempFolder folder;
  std::filesystem::copy_file("/bin/true", folder / "a");
  std::filesystem::copy_file("/bin/true", folder / "b");
  const auto one = *ImageStore::open(folder / "one");
  const auto two = *ImageStore::open(folder / "two");
  const auto first = make_image(*one, demo_of(folder / "a"));
  const auto second = make_image(*two, demo_of(folder / "b"));
  ASSERT_OK(first);
  ASSERT_OK(second);
  EXPECT_EQ(first->target, second->target);
}

TEST(BuiltInImage, IsMadeAgainOnlyWhenTheProgramChanged) {
  const TempFolder folder;
  std::filesystem::copy_file("/bin/true", folder / "program");
  const auto store = *ImageStore::open(folder / "store");
  const auto first = make_image(*store, demo_of(folder / "program"));
  ASSERT_OK(first);
  // A second making would have to read the layer's files; these are not there for it.
  const auto before = paths_under(folder / "store");
  ASSERT_OK(make_image(*store, demo_of(folder / "program")));
  EXPECT_EQ(paths_under(folder / "store"), before);
  std::filesystem::remove(folder / "program");
  std::filesystem::copy_file("/bin/false", folder / "program");
  const auto second = make_image(*store, demo_of(folder / "program"));
  ASSERT_OK(second);
  EXPECT_NE(second->id, first->id);
  EXPECT_EQ(store->find("minik/demo")->id, second->id);
  EXPECT_TRUE(store->find(first->id.text()).ok());
}

TEST(BuiltInImage, RefusesWhatIsNoProgram) {
  const TempFolder folder;
  spill(folder / "script", "#!/bin/sh\n");
  const auto store = *ImageStore::open(folder / "store");
  EXPECT_EQ(make_image(*store, demo_of(folder / "script")).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(make_image(*store, demo_of(folder / "missing")).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(store->list()->empty());
}

TEST(ElfLibraries, FindLoaderAndLibraries) {
  const auto libraries = elf_libraries("/bin/true");
  ASSERT_OK(libraries);
  bool loader = false, libc = false;
  for (const std::string& path : *libraries) {
    loader |= path.find("/ld-linux") != std::string::npos;
    libc |= path.ends_with("/libc.so.6");
  }
  EXPECT_TRUE(loader);
  EXPECT_TRUE(libc);
  if (have("busybox")) {
    const std::string path = output_of("command -v busybox | tr -d '\\n'");
    EXPECT_TRUE(elf_libraries(path).ok());
  }
}

}  // namespace
}  // namespace minik::runtime
