#include "control/schema/schema.h"

#include <gtest/gtest.h>

#include "control/object/json.h"
#include "control/schema/kinds.h"

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

TEST(Schema, KnowsDocumentsThatNoResourceServes) {
  const auto& schema = Schema::builtin();
  EXPECT_NE(schema.find_document("autoscaling/v1", "Scale"), nullptr);
  EXPECT_NE(schema.find_document("v1", "DeleteOptions"), nullptr);
  EXPECT_EQ(schema.find_document("v1", "Scale"), nullptr);
  EXPECT_EQ(schema.find("", "v1", "pods")->subresource("eviction")->group, "policy");
}

TEST(Schema, GivesStrategicMergeItsRules) {
  const auto& schema = Schema::builtin();
  const SchemaPatchRules rules;
  const auto containers = rules.rule(schema.find_type("core", "PodSpec"), "containers");
  EXPECT_TRUE(containers.merge);
  EXPECT_EQ(containers.merge_key, "name");
  EXPECT_EQ(containers.type, schema.find_type("core", "Container"));
  EXPECT_FALSE(rules.rule(schema.find_type("core", "PodSpec"), "tolerations").merge);
  EXPECT_EQ(rules.rule(nullptr, "x").type, nullptr);
}

TEST(Schema, EveryListedResourceCanBeWatched) {
  for (const auto& resource : Schema::builtin().resources()) {
    if (resource.plural == "componentstatuses")
      continue;  // computed when asked for, as in Kubernetes
    if (resource.group == "metrics.k8s.io") continue;  // measured when asked: there is nothing to watch
    EXPECT_EQ(resource.has_verb("list"), resource.has_verb("watch")) << resource.group_resource();
  }
}

}  // namespace
}  // namespace minik::control
