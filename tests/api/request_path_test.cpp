#include "control/access/request_path.h"

#include <gtest/gtest.h>

#include "control/base/text.h"

namespace minik::control {
namespace {

std::string text(std::string_view method, std::string_view path) {
  const auto asked = attributes_of_path(method, path);
  if (!asked.path.empty()) return cat(asked.verb, " path ", asked.path);
  return cat(asked.verb, " ", asked.group, "/", asked.resource, "/", asked.subresource, " ", asked.namespace_, " ", asked.name);
}

TEST(RequestPath, SaysWhatIsAskedForWhetherItIsThereOrNot) {
  EXPECT_EQ(text("GET", "/apis/example.com/v1/namespaces/lab/things/one/status"), "get example.com/things/status lab one");
  EXPECT_EQ(text("GET", "/apis/example.com/v1/things"), "list example.com/things/  ");
  EXPECT_EQ(text("DELETE", "/api/v1/namespaces/lab/pods"), "deletecollection /pods/ lab ");
  EXPECT_EQ(text("POST", "/api/v1/namespaces/lab/pods/one/eviction"), "create /pods/eviction lab one");
  EXPECT_EQ(text("GET", "/api/v1/watch/namespaces/lab/pods"), "watch /pods/ lab ");
}

TEST(RequestPath, CountsANamespaceAsBeingInItself) {
  EXPECT_EQ(text("GET", "/api/v1/namespaces/lab"), "get /namespaces/ lab lab");
  EXPECT_EQ(text("PUT", "/api/v1/namespaces/lab/finalize"), "update /namespaces/finalize lab lab");
  EXPECT_EQ(text("GET", "/api/v1/namespaces"), "list /namespaces/  ");
}

TEST(RequestPath, LeavesPathsThatAreNoResources) {
  EXPECT_EQ(text("GET", "/version"), "get path /version");
  EXPECT_EQ(text("GET", "/apis/apps/v1"), "get path /apis/apps/v1");
  EXPECT_EQ(text("POST", "/"), "post path /");
}

}  // namespace
}  // namespace minik::control
