#include "runtime/image/reference.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace minik::runtime {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

std::string completed(const std::string& text) {
  const auto reference = parse_reference(text);
  return reference ? reference->text() : "error: " + reference.error().message;
}

std::string familiar(const std::string& text) {
  const auto reference = parse_reference(text);
  return reference ? reference->familiar() : "error: " + reference.error().message;
}

TEST(Reference, CompletesWithHubLibraryAndLatest) {
  EXPECT_EQ(completed("busybox"), "docker.io/library/busybox:latest");
  EXPECT_EQ(completed("busybox:1.36"), "docker.io/library/busybox:1.36");
  EXPECT_EQ(completed("me/app"), "docker.io/me/app:latest");
  EXPECT_EQ(completed("docker.io/busybox"), "docker.io/library/busybox:latest");
  EXPECT_EQ(completed("index.docker.io/busybox"), "docker.io/library/busybox:latest");
  EXPECT_EQ(completed("a/b/c"), "docker.io/a/b/c:latest");
}

TEST(Reference, TakesTheFirstPartForARegistryWhenItLooksLikeAHost) {
  EXPECT_EQ(completed("localhost/x"), "localhost/x:latest");
  EXPECT_EQ(completed("localhost:5000/x"), "localhost:5000/x:latest");
  EXPECT_EQ(completed("registry.k8s.io/pause:3.9"), "registry.k8s.io/pause:3.9");
  EXPECT_EQ(completed("127.0.0.1:5000/a/b:c"), "127.0.0.1:5000/a/b:c");
  EXPECT_EQ(completed("[::1]:5000/x"), "[::1]:5000/x:latest");
  EXPECT_EQ(completed("HOST/x"), "HOST/x:latest");
}

TEST(Reference, KeepsADigestAndNeedsNoTagThen) {
  EXPECT_EQ(completed("busybox@" + kDigest), "docker.io/library/busybox@" + kDigest);
  EXPECT_EQ(completed("busybox:1@" + kDigest), "docker.io/library/busybox:1@" + kDigest);
}

TEST(Reference, TellsAPortFromATag) {
  EXPECT_EQ(completed("localhost:5000"), "docker.io/library/localhost:5000");
  EXPECT_EQ(completed("a.b:80/c:d"), "a.b:80/c:d");
}

TEST(Reference, ShowsNamesAsPeopleWriteThem) {
  EXPECT_EQ(familiar("docker.io/library/busybox"), "busybox:latest");
  EXPECT_EQ(familiar("docker.io/me/app:2"), "me/app:2");
  EXPECT_EQ(familiar("docker.io/library/a/b"), "library/a/b:latest");
  EXPECT_EQ(familiar("docker.io/quay.io/x"), "docker.io/quay.io/x:latest");
  EXPECT_EQ(familiar("localhost:5000/x"), "localhost:5000/x:latest");
  EXPECT_EQ(familiar("busybox@" + kDigest), "busybox@" + kDigest);
}

TEST(Reference, AcceptsTheSeparatorsThatDistributionAccepts) {
  EXPECT_EQ(completed("a__b/c-----d/e.f_g"), "docker.io/a__b/c-----d/e.f_g:latest");
  EXPECT_EQ(completed("x:_A.b-c"), "docker.io/library/x:_A.b-c");
}

TEST(Reference, RefusesWhatIsNoName) {
  const std::vector<std::string> refused = {"",
                                            ":latest",
                                            "a//b",
                                            "/a",
                                            "a/",
                                            "-a",
                                            "a-",
                                            "a___b",
                                            "a._b",
                                            "a..b",
                                            "busybox:",
                                            "x:-a",
                                            "a b",
                                            "x@",
                                            "x@sha256:abc",
                                            "x@sha512:aa",
                                            "x@md5:" + std::string(64, 'a').substr(32),
                                            "Upper",
                                            "a/Upper",
                                            "host.com:port/x",
                                            "host.com:/x",
                                            "-host.com/x",
                                            "host-.com/x",
                                            "x:" + std::string(129, 't'),
                                            std::string(64, 'a'),
                                            std::string(300, 'a'),
                                            "../etc/passwd",
                                            "a/../b",
                                            "x@" + kDigest + "@" + kDigest,
                                            "[::1/x"};
  for (const std::string& text : refused) {
    EXPECT_TRUE(completed(text).starts_with("error: ")) << text << " -> " << completed(text);
  }
}

TEST(Reference, SaysWhyANameIsRefused) {
  EXPECT_NE(completed("docker.io/Me/app").find("must be lowercase"), std::string::npos);
  EXPECT_NE(completed(std::string(64, 'a')).find("id"), std::string::npos);
  EXPECT_EQ(parse_reference("a b").error().code, ErrorCode::kInvalid);
}

TEST(Reference, CompletedNamesReadBackAsThemselves) {
  for (const std::string& text :
       std::vector<std::string>{"busybox", "localhost:5000/x:1", "a.b/c@" + kDigest, "x/y:z"}) {
    const auto once = parse_reference(text);
    ASSERT_TRUE(once.ok());
    const auto twice = parse_reference(once->text());
    ASSERT_TRUE(twice.ok());
    EXPECT_EQ(*once, *twice);
    EXPECT_EQ(*parse_reference(once->familiar()), *once);
  }
}

}  // namespace
}  // namespace minik::runtime
