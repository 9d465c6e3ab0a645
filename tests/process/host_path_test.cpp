// hostPath volumes of each type on files, folders, sockets, devices, and on nothing.
#include "minik/process/host_path.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "control/base/text.h"
#include "runtime/container/files.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

class HostPaths : public ::testing::Test {
 protected:
  HostPaths() {
    std::filesystem::create_directory(folder_.file("folder"));
    EXPECT_TRUE(runtime::write_file_atomically(folder_.file("file"), "", 0600).ok());
    const int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, folder_.file("socket").c_str(), sizeof address.sun_path - 1);
    EXPECT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    close(listener);
  }
  // What is wrong with it, without the path; empty: nothing.
  std::string check(const std::string& type, const std::string& path) {
    const auto status = prepare_host_path({path, type});
    if (status.ok()) return {};
    std::string message = status.error().message;
    if (const size_t at = message.find(path); at != std::string::npos) message.replace(at, path.size(), "X");
    return message;
  }
  std::string in(const std::string& name) { return folder_.file(name); }

  TemporaryFolder folder_;
};

TEST_F(HostPaths, AreWhatTheirTypeSays) {
  const auto wrong = [](std::string_view what) { return cat("hostPath type check failed: X is not a ", what); };
  for (const auto* type : {"Directory", "DirectoryOrCreate"}) {
    EXPECT_EQ(check(type, in("folder")), "") << type;
    EXPECT_EQ(check(type, in("file")), wrong("directory")) << type;
  }
  for (const auto* type : {"File", "FileOrCreate"}) {
    EXPECT_EQ(check(type, in("file")), "") << type;
    EXPECT_EQ(check(type, in("folder")), wrong("file")) << type;
  }
  EXPECT_EQ(check("Socket", in("socket")), "");
  EXPECT_EQ(check("Socket", in("file")), wrong("socket file"));
  EXPECT_EQ(check("CharDevice", "/dev/null"), "");
  EXPECT_EQ(check("CharDevice", in("file")), wrong("character device"));
  EXPECT_EQ(check("BlockDevice", "/dev/null"), wrong("block device"));
}

TEST_F(HostPaths, AreMadeOnlyWhereTheirTypeSaysSo) {
  EXPECT_EQ(check("Directory", in("none")), "hostPath type check failed: X is not a directory");
  EXPECT_EQ(check("File", in("none")), "hostPath type check failed: X is not a file");
  EXPECT_EQ(check("Local", in("none")), "path \"X\" does not exist");
  EXPECT_FALSE(std::filesystem::exists(in("none")));
  EXPECT_EQ(check("DirectoryOrCreate", in("made/below")), "");
  EXPECT_TRUE(std::filesystem::is_directory(in("made/below")));
  EXPECT_EQ(check("FileOrCreate", in("made/file")), "");
  EXPECT_TRUE(std::filesystem::is_regular_file(in("made/file")));
  EXPECT_EQ(check("Local", in("folder")), "");
}

}  // namespace
}  // namespace minik
