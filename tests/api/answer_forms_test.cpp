// In which form an answer comes, and which forms there are not; what this server says of itself.
#include "tests/api/http_world.h"

namespace minik::control {
namespace {

class AnswerForms : public HttpWorld {
 protected:
  Answer as(const std::string& accept) { return call("GET", std::string(kConfigMaps), "", "application/json", accept); }
};

TEST_F(AnswerForms, AreThoseOfMetaV1AndNoOthers) {
  EXPECT_EQ(as("application/json;as=Table;v=v1;g=meta.k8s.io").body[keys::kKind].as_string(), "Table");
  EXPECT_EQ(as("application/json; as=Table; g=meta.k8s.io; v=v1").body[keys::kKind].as_string(), "Table");
  EXPECT_EQ(as("application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io").body[keys::kKind].as_string(), "PartialObjectMetadataList");
  for (const char* unknown : {"application/json;as=Foo;v=v1;g=meta.k8s.io", "application/json;as=Table;v=v1beta1;g=meta.k8s.io",
                              "application/json;as=Table;v=v1;g=other.io"}) {
    EXPECT_EQ(as(unknown).status, 406) << unknown;
    EXPECT_EQ(as(cat(unknown, ",application/json")).body[keys::kKind].as_string(), "ConfigMapList") << unknown;
  }
}

TEST_F(AnswerForms, WhatThisServerSaysOfItselfIsNeitherChangedNorDeleted) {
  const std::string batch = "/apis/apiregistration.k8s.io/v1/apiservices/v1.batch";
  ASSERT_EQ(call("GET", batch).status, 200);
  const auto deleted = call("DELETE", batch);
  EXPECT_EQ(deleted.status, 405);
  EXPECT_EQ(deleted.message(),
            R"(apiservices.apiregistration.k8s.io "v1.batch" says what this API server itself serves: it can be neither changed nor deleted)");
  EXPECT_EQ(call("PATCH", batch, R"({"spec":{"versionPriority":3}})", "application/merge-patch+json").status, 405);
  EXPECT_EQ(call("DELETE", "/apis/apiregistration.k8s.io/v1/apiservices/v1.nobody.io").status, 404);
}

}  // namespace
}  // namespace minik::control
