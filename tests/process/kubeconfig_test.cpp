#include "minik/process/kubeconfig.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "minik/process/private_file.h"
#include "tests/process/temporary_folder.h"

namespace minik {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kUserFile = R"(apiVersion: v1
kind: Config
preferences: {colors: true}
clusters:
- name: work
  cluster:
    server: https://work.example:6443
    proxy-url: http://proxy:3128
    extensions:
    - name: someone.io
      extension: {a: [1, "2", null, true]}
users:
- name: work
  user:
    token: "0123456"
contexts:
- name: work
  context: {cluster: work, user: work, namespace: team}
current-context: work
)";

KubeconfigEntry entry() {
  return {"minik", "https://127.0.0.1:6443", "CA", "CERT", "KEY"};
}

class Kubeconfig : public ::testing::Test {
 protected:
  void write(const std::string& text) { std::ofstream(path) << text; }
  std::string text() { return *read_small_file(path); }
  TemporaryFolder folder;
  std::string path = folder.file("config");
};

TEST_F(Kubeconfig, IsMadeWithItsFolderAndReadableByItsOwnerAlone) {
  path = folder.file(".kube/config");
  ASSERT_TRUE(add_to_kubeconfig(path, entry(), CurrentContext::kSwitch));
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  EXPECT_THAT(text(), HasSubstr("current-context: \"minik\""));
  EXPECT_THAT(text(), HasSubstr("certificate-authority-data: Q0E="));
}

TEST_F(Kubeconfig, KeepsEverythingThatTheUserHas) {
  write(kUserFile);
  ASSERT_TRUE(add_to_kubeconfig(path, entry(), CurrentContext::kSwitch));
  EXPECT_THAT(text(), HasSubstr("proxy-url: http://proxy:3128"));
  EXPECT_THAT(text(), HasSubstr("token: \"0123456\"")) << "a number would not be a token";
  EXPECT_THAT(text(), HasSubstr("namespace: team"));
  EXPECT_THAT(text(), HasSubstr("someone.io"));
  EXPECT_THAT(text(), HasSubstr("- \"2\""));
  EXPECT_THAT(text(), HasSubstr("colors: true"));
}

TEST_F(Kubeconfig, IsTheSameAfterAddingAndRemoving) {
  write(kUserFile);
  ASSERT_TRUE(add_to_kubeconfig(path, entry(), CurrentContext::kKeep));
  ASSERT_TRUE(remove_from_kubeconfig(path, "minik"));
  const std::string once = text();
  EXPECT_THAT(once, Not(HasSubstr("minik")));
  EXPECT_THAT(once, HasSubstr("current-context: work"));
  ASSERT_TRUE(remove_from_kubeconfig(path, "minik"));
  EXPECT_EQ(text(), once);
}

TEST_F(Kubeconfig, HasNoCurrentContextThatIsGone) {
  ASSERT_TRUE(add_to_kubeconfig(path, entry(), CurrentContext::kSwitch));
  ASSERT_TRUE(remove_from_kubeconfig(path, "minik"));
  EXPECT_THAT(text(), HasSubstr("current-context: \"\""));
}

TEST_F(Kubeconfig, KeepsTheNamespaceThatTheUserChoseInOurContext) {
  ASSERT_TRUE(add_to_kubeconfig(path, entry(), CurrentContext::kSwitch));
  std::string changed = text();
  const std::string user_line = "      user: \"minik\"\n";
  changed.insert(changed.find(user_line), "      namespace: mine\n");
  write(changed);
  ASSERT_TRUE(add_to_kubeconfig(path, entry(), CurrentContext::kSwitch));
  EXPECT_THAT(text(), HasSubstr("namespace: mine"));
}

TEST_F(Kubeconfig, KeepsModeAndSymbolicLink) {
  write(kUserFile);
  chmod(path.c_str(), 0640);
  const std::string link = folder.file("link");
  ASSERT_EQ(symlink(path.c_str(), link.c_str()), 0);
  ASSERT_TRUE(add_to_kubeconfig(link, entry(), CurrentContext::kSwitch));
  struct stat status {};
  ASSERT_EQ(lstat(link.c_str(), &status), 0);
  EXPECT_TRUE(S_ISLNK(status.st_mode));
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  EXPECT_THAT(text(), HasSubstr("minik"));
}

TEST_F(Kubeconfig, LeavesAFileAloneThatItCannotRead) {
  for (const char* bad : {"- a\n- b\n", "clusters: 7\n", "a: [unclosed\n"}) {
    write(bad);
    const Status added = add_to_kubeconfig(path, entry(), CurrentContext::kSwitch);
    ASSERT_FALSE(added);
    EXPECT_THAT(added.error().message, HasSubstr(path));
    EXPECT_EQ(text(), bad);
  }
}

TEST_F(Kubeconfig, NamesTheLockThatSomebodyHolds) {
  write(kUserFile);
  std::ofstream(path + ".lock") << "";
  const Status added = add_to_kubeconfig(path, entry(), CurrentContext::kSwitch);
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, HasSubstr(path + ".lock"));
  EXPECT_EQ(text(), kUserFile);
}

TEST_F(Kubeconfig, IsTheFirstFileOfTheListThatExistsElseTheLast) {
  write(kUserFile);
  setenv("KUBECONFIG", (":" + folder.file("none") + ":" + path + ":/nowhere").c_str(), 1);
  EXPECT_EQ(*kubeconfig_path(), path);
  setenv("KUBECONFIG", (folder.file("none") + ":" + folder.file("none2")).c_str(), 1);
  EXPECT_EQ(*kubeconfig_path(), folder.file("none2"));
  unsetenv("KUBECONFIG");
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(*kubeconfig_path(), "/home/someone/.kube/config");
}

}  // namespace
}  // namespace minik
