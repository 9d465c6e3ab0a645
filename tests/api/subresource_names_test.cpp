// What is sent to a part of an object names that object, or is refused.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

constexpr const char* kMerge = "application/merge-patch+json";
constexpr std::string_view kOtherName = "the name of the object (other) does not match the name on the URL (";

class SubresourceNames : public HttpWorld {
 protected:
  static ApiServerOptions with_tokens() {
    ApiServerOptions options;
    options.issue_token = [](const TokenOrder&) -> Result<std::string> { return std::string("token"); };
    return options;
  }
  SubresourceNames() : HttpWorld(with_tokens()) {
    EXPECT_EQ(call("POST", "/api/v1/namespaces/default/serviceaccounts", R"({"metadata":{"name":"default"}})").status, 201);
  }
  void expect_other_name(const Answer& answer) {
    EXPECT_EQ(answer.status, 400);
    EXPECT_TRUE(answer.message().starts_with(kOtherName)) << answer.message();
  }
};

TEST_F(SubresourceNames, OfABinding) {
  const std::string pods = "/api/v1/namespaces/default/pods";
  ASSERT_EQ(call("POST", pods, R"({"metadata":{"name":"a"},"spec":{"containers":[{"name":"c","image":"i"}]}})").status, 201);
  const auto bind = [&](const std::string& name, const std::string& target) {
    return call("POST", cat(pods, "/a/binding"), cat(R"({"metadata":{"name":")", name, R"("},"target":)", target, "}"));
  };
  EXPECT_EQ(bind("other", R"({"kind":"Node","name":"n"})").message(), "name in URL does not match name in Binding object");
  const auto foo = bind("a", R"({"kind":"Foo","name":"n"})");
  EXPECT_EQ(foo.status, 422);
  EXPECT_EQ(foo.cause(), "target.kind FieldValueNotSupported");
  EXPECT_EQ(bind("a", R"({"kind":"Node"})").cause(), "target.name FieldValueRequired");
  EXPECT_EQ(bind("a", R"({"kind":"Node","name":"n"})").status, 201);
}

TEST_F(SubresourceNames, OfAScale) {
  const std::string deployments = "/apis/apps/v1/namespaces/default/deployments", scale = cat(deployments, "/web/scale");
  ASSERT_EQ(call("POST", deployments, R"({"metadata":{"name":"web"},"spec":{"selector":{"matchLabels":{"a":"b"}},)"
                                      R"("template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}})")
                .status, 201);
  expect_other_name(call("PUT", scale, R"({"metadata":{"name":"other"},"spec":{"replicas":3}})"));
  expect_other_name(call("PATCH", scale, R"({"metadata":{"name":"other"},"spec":{"replicas":3}})", kMerge));
  EXPECT_EQ(call("PUT", scale, R"({"metadata":{"name":"web","namespace":"kube-system"},"spec":{"replicas":3}})").status, 400);
  EXPECT_EQ(call("GET", scale).body[keys::kSpec][keys::kReplicas].as_int(), 1);
  EXPECT_EQ(call("PUT", scale, R"({"spec":{"replicas":3}})").status, 200);
}

TEST_F(SubresourceNames, OfAToken) {
  const std::string token = "/api/v1/namespaces/default/serviceaccounts/default/token";
  const auto other = call("POST", token, R"({"metadata":{"name":"other"},"spec":{}})");
  EXPECT_EQ(other.status, 422);
  EXPECT_EQ(other.cause(), "metadata.name FieldValueInvalid");
  EXPECT_NE(other.message().find("must match the service account name if specified"), std::string::npos);
  EXPECT_EQ(call("POST", token, R"({"metadata":{"namespace":"other"},"spec":{}})").status, 400);
  EXPECT_EQ(call("POST", token, R"({"metadata":{"name":"default"},"spec":{}})").status, 201);
}

TEST_F(SubresourceNames, OfANamespaceThatIsFinalized) {
  ASSERT_EQ(call("POST", "/api/v1/namespaces", R"({"metadata":{"name":"n"}})").status, 201);
  expect_other_name(call("PUT", "/api/v1/namespaces/n/finalize", R"({"metadata":{"name":"other"},"spec":{"finalizers":[]}})"));
  EXPECT_EQ(call("PUT", "/api/v1/namespaces/n/finalize", R"({"metadata":{"name":"n"},"spec":{"finalizers":["kubernetes"]}})").status, 200);
}

}  // namespace
}  // namespace minik::control
