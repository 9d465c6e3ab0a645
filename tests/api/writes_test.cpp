#include "tests/api/http_world.h"

namespace minik::control {
namespace {

class Writes : public HttpWorld {};

TEST_F(Writes, NameTheResourceOfAMissingObject) {
  const auto answer = call("GET", path("none"));
  EXPECT_EQ(answer.status, 404);
  EXPECT_EQ(answer.reason(), "NotFound");
  EXPECT_EQ(answer.message(), "configmaps \"none\" not found");
  EXPECT_EQ(answer.body[keys::kDetails][keys::kKind].as_string(), "configmaps");
}

TEST_F(Writes, RefuseASecondObjectOfAName) {
  EXPECT_EQ(create_config_map("a").status, 201);
  const auto again = create_config_map("a");
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(again.reason(), "AlreadyExists");
}

TEST_F(Writes, NameTheFieldOfABadName) {
  const auto answer = create_config_map("Not_a_name");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.cause(), "metadata.name FieldValueInvalid");
}

TEST_F(Writes, MakeANameFromItsBeginning) {
  const auto answer =
      call("POST", std::string(kConfigMaps), R"({"metadata":{"generateName":"web-"}})");
  EXPECT_EQ(answer.status, 201);
  const auto name = answer.body[keys::kMetadata][keys::kName].string();
  EXPECT_TRUE(name.starts_with("web-"));
  EXPECT_EQ(name.size(), 9u);
}

TEST_F(Writes, LeaveNothingBehindAfterADryRun) {
  EXPECT_EQ(create_config_map("a", "?dryRun=All").status, 201);
  EXPECT_EQ(call("GET", path("a")).status, 404);
  create_config_map("a");
  EXPECT_EQ(call("DELETE", path("a"), R"({"dryRun":["All"]})").status, 200);
  EXPECT_EQ(call("GET", path("a")).status, 200);
}

TEST_F(Writes, RefuseAnUpdateOfAnOldVersion) {
  const auto version = create_config_map("a").version();
  const auto body =
      cat(R"({"metadata":{"name":"a","resourceVersion":")", version, R"("},"data":{"a":"2"}})");
  EXPECT_EQ(call("PUT", path("a"), body).status, 200);
  const auto late = call("PUT", path("a"), body);
  EXPECT_EQ(late.status, 409);
  EXPECT_EQ(late.reason(), "Conflict");
}

TEST_F(Writes, MakeNoNewVersionOfTheSameObject) {
  const auto version = create_config_map("a").version();
  const auto same =
      call("PATCH", path("a"), R"({"data":{"a":"1"}})", "application/merge-patch+json");
  EXPECT_EQ(same.status, 200);
  EXPECT_EQ(same.version(), version);
}

TEST_F(Writes, DeleteOnlyTheObjectThatWasMeant) {
  create_config_map("a");
  EXPECT_EQ(call("DELETE", path("a"), R"({"preconditions":{"uid":"other"}})").status, 409);
  EXPECT_EQ(call("GET", path("a")).status, 200);
}

TEST_F(Writes, TreatUnknownFieldsAsTheClientAsks) {
  const std::string typo = R"({"metadata":{"name":"a"},"dat":{}})";
  const auto strict = call("POST", cat(kConfigMaps, "?fieldValidation=Strict"), typo);
  EXPECT_EQ(strict.status, 400);
  EXPECT_NE(strict.message().find("unknown field \"dat\""), std::string::npos) << strict.message();
  EXPECT_EQ(
      call("POST", cat(kConfigMaps, "?fieldValidation=Warn&dryRun=All"), typo).warnings.size(), 1u);
  EXPECT_TRUE(call("POST", cat(kConfigMaps, "?fieldValidation=Ignore"), typo).warnings.empty());
}

TEST_F(Writes, KeepAnObjectUntilItsLastFinalizerIsGone) {
  call("POST", std::string(kConfigMaps),
       R"({"metadata":{"name":"a","finalizers":["example.com/hold"]}})");
  call("DELETE", path("a"));
  const auto held = call("GET", path("a"));
  EXPECT_TRUE(held.body[keys::kMetadata][keys::kDeletionTimestamp].has_value());
  call("PATCH", path("a"), R"({"metadata":{"finalizers":null}})", "application/merge-patch+json");
  EXPECT_EQ(call("GET", path("a")).status, 404);
}

TEST_F(Writes, OrphanByAFinalizer) {
  create_config_map("a");
  call("DELETE", path("a"), R"({"propagationPolicy":"Orphan"})");
  const auto held = call("GET", path("a"));
  ASSERT_EQ(held.body[keys::kMetadata][keys::kFinalizers].items().size(), 1u);
  EXPECT_EQ(held.body[keys::kMetadata][keys::kFinalizers].items()[0].as_string(), "orphan");
}

TEST_F(Writes, LeaveANodeTheRangeAndTheProviderThatItWasGiven) {
  call("POST", "/api/v1/nodes", R"({"metadata":{"name":"n"}})");
  const auto change = [&](const std::string& spec) {
    return call("PATCH", "/api/v1/nodes/n", cat(R"({"spec":)", spec, "}"), "application/merge-patch+json");
  };
  EXPECT_EQ(change(R"({"podCIDR":"10.1.0.0/24","providerID":"a"})").status, 200);
  const auto refused = change(R"({"podCIDR":"10.2.0.0/24","providerID":"b"})");
  EXPECT_EQ(refused.status, 422);
  EXPECT_EQ(refused.cause(0), "spec.podCIDRs FieldValueForbidden");
  EXPECT_EQ(refused.cause(1), "spec.providerID FieldValueForbidden");
  EXPECT_EQ(change(R"({"unschedulable":true})").status, 200);
  call("POST", "/api/v1/nodes", R"({"metadata":{"name":"two"},"spec":{"podCIDRs":["10.1.0.0/24","fd00::/64"]}})");
  const auto second = call("PATCH", "/api/v1/nodes/two", R"([{"op":"replace","path":"/spec/podCIDRs/1","value":"fd01::/64"}])",
                           "application/json-patch+json");
  EXPECT_EQ(second.status, 422);
  EXPECT_EQ(second.cause(0), "spec.podCIDRs FieldValueForbidden");
}

TEST_F(Writes, SayToOperatorsThatTheNamespaceIsOnItsWayOut) {
  call("POST", "/api/v1/namespaces", R"({"metadata":{"name":"lab"}})");
  call("DELETE", "/api/v1/namespaces/lab");
  const auto refused = call("POST", "/api/v1/namespaces/lab/configmaps", R"({"metadata":{"name":"a"}})");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(refused.message(),
            "configmaps \"a\" is forbidden: unable to create new content in namespace lab because it is being terminated");
  EXPECT_EQ(refused.cause(0), "metadata.namespace NamespaceTerminating");
}

TEST_F(Writes, AreNotMadeInAllNamespacesAtOnce) {
  ASSERT_EQ(create_config_map("a").status, 201);
  for (const std::string method : {"DELETE", "POST"}) {
    const auto refused = call(method, "/api/v1/configmaps", R"({"metadata":{"name":"b"}})");
    EXPECT_EQ(refused.status, 405) << method;
    EXPECT_EQ(refused.reason(), "MethodNotAllowed") << method;
  }
  EXPECT_EQ(call("GET", path("a")).status, 200);
  EXPECT_EQ(call("DELETE", std::string(kConfigMaps)).status, 200) << "of one namespace";
  EXPECT_EQ(call("GET", path("a")).status, 404);
}

}  // namespace
}  // namespace minik::control
