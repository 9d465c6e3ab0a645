#include "control/schema/schema.h"

#include <gtest/gtest.h>

#include "control/object/json.h"
#include "control/schema/kinds.h"
#include "control/schema/views/apps.h"

namespace minik::control {
namespace {

TEST(Schema, KnowsResourcesByPathAndByKind) {
  const auto& schema = Schema::builtin();
  const auto* deployments = schema.find("apps", "v1", "deployments");
  ASSERT_NE(deployments, nullptr);
  EXPECT_EQ(deployments->id, kinds::kDeployments);
  EXPECT_EQ(schema.find_kind("apps/v1", "Deployment"), deployments);
  EXPECT_EQ(deployments->group_resource(), "deployments.apps");
  EXPECT_TRUE(deployments->has_verb("deletecollection"));
  EXPECT_EQ(deployments->subresource("scale")->kind, "Scale");
  EXPECT_EQ(schema.find("", "v1", "nothing"), nullptr);
}

TEST(Schema, DescribesFieldsDefaultsAndMergeKeys) {
  const auto* spec = Schema::builtin().find_type("core", "PodSpec");
  ASSERT_NE(spec, nullptr);
  const auto* containers = spec->field("containers");
  ASSERT_NE(containers, nullptr);
  EXPECT_EQ(containers->merge_key, "name");
  EXPECT_EQ(containers->type->name, "Container");
  EXPECT_EQ(spec->field("restartPolicy")->default_value.as_string(), "Always");
  EXPECT_EQ(spec->field("nope"), nullptr);
}

TEST(Views, ReadThroughTheSchemasNames) {
  const Value object = *parse_json(
      R"({"metadata":{"name":"web"},"spec":{"replicas":3,"template":{"spec":{"containers":[{"name":"a"}]}}}})");
  const DeploymentView deployment(object);
  EXPECT_EQ(deployment.metadata().name(), "web");
  EXPECT_EQ(deployment.spec().replicas(), 3);
  EXPECT_EQ(deployment.spec().progressDeadlineSeconds(), 600);
  EXPECT_EQ(deployment.spec().template_().spec().containers()[0].name(), "a");
  EXPECT_FALSE(deployment.status());
}

}  // namespace
}  // namespace minik::control
