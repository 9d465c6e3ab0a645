#include "control/schema/discovery.h"

#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/json.h"
#include "control/schema/kinds.h"
#include "control/schema/openapi.h"

namespace minik::control {
namespace {

const ResourceInfo* resource(KindId kind) {
  return &Schema::builtin().resource(kind);
}

std::vector<const ResourceInfo*> all_resources() {
  std::vector<const ResourceInfo*> all;
  for (const auto& info : Schema::builtin().resources()) all.push_back(&info);
  return all;
}

TEST(Discovery, ListsOnlyWhatIsEnabled) {
  const ResourceInfo* enabled[] = {resource(kinds::kLeases)};
  EXPECT_EQ(
      to_json(discover_resources(enabled, "coordination.k8s.io", "v1")),
      R"({"apiVersion":"v1","groupVersion":"coordination.k8s.io/v1","kind":"APIResourceList","resources":[)"
      R"({"kind":"Lease","name":"leases","namespaced":true,"singularName":"lease",)"
      R"("verbs":["create","delete","deletecollection","get","list","patch","update","watch"]}]})");
  EXPECT_TRUE(discover_resources(enabled, "apps", "v1").is_absent());
  EXPECT_TRUE(discover_group(enabled, "apps").is_absent());
  EXPECT_EQ(to_json(discover_group(enabled, "coordination.k8s.io")),
            R"({"apiVersion":"v1","kind":"APIGroup","name":"coordination.k8s.io",)"
            R"("preferredVersion":{"groupVersion":"coordination.k8s.io/v1","version":"v1"},)"
            R"("versions":[{"groupVersion":"coordination.k8s.io/v1","version":"v1"}]})");
}

TEST(Discovery, PutsGroupsInKubernetesOrderAndNewVersionsFirst) {
  const auto all = all_resources();
  const auto groups = groups_by_preference(all);
  ASSERT_GT(groups.size(), 10U);
  EXPECT_EQ(groups[0], "");
  EXPECT_EQ(groups[1], "apiregistration.k8s.io");
  EXPECT_EQ(groups[2], "apps");
  EXPECT_EQ(versions_of(all, "autoscaling"), (std::vector<std::string_view>{"v2", "v1"}));
}

TEST(Discovery, AggregatesAGroup) {
  const ResourceInfo* enabled[] = {resource(kinds::kReplicasets)};
  EXPECT_EQ(
      to_json(discover_all(enabled, DiscoveryPart::kGroups)),
      R"({"apiVersion":"apidiscovery.k8s.io/v2","items":[{"metadata":{"name":"apps"},"versions":[{"freshness":"Current","resources":[)"
      R"({"categories":["all"],"resource":"replicasets","responseKind":{"group":"apps","kind":"ReplicaSet","version":"v1"},"scope":"Namespaced",)"
      R"("shortNames":["rs"],"singularResource":"replicaset","subresources":[)"
      R"({"responseKind":{"group":"autoscaling","kind":"Scale","version":"v1"},"subresource":"scale","verbs":["get","patch","update"]},)"
      R"({"responseKind":{"group":"apps","kind":"ReplicaSet","version":"v1"},"subresource":"status","verbs":["get","patch","update"]}],)"
      R"("verbs":["create","delete","deletecollection","get","list","patch","update","watch"]}],"version":"v1"}]}],)"
      R"("kind":"APIGroupDiscoveryList","metadata":{}})");
  EXPECT_TRUE(discover_all(enabled, DiscoveryPart::kCore).get("items").empty());
}

TEST(Discovery, SpellsConnectionsAsTheMethodsThatMakeThem) {
  const ResourceInfo* enabled[] = {resource(kinds::kPods)};
  const Value list = discover_resources(enabled, "", "v1");
  for (const auto& entry : list.get("resources").items()) {
    if (entry.get("name").as_string() == "pods/exec") {
      EXPECT_EQ(
          to_json(entry),
          R"({"kind":"PodExecOptions","name":"pods/exec","namespaced":true,"singularName":"","verbs":["create","get"]})");
      return;
    }
  }
  FAIL() << "no pods/exec in " << to_json(list);
}

// Every $ref of a document must lead somewhere.
void collect_references(const Value& value, std::vector<std::string>& out) {
  if (value.contains("$ref") && value.get("$ref").is_string())
    out.push_back(value.get("$ref").string());
  for (const auto& [key, item] : value.entries()) collect_references(item, out);
  for (const auto& item : value.items()) collect_references(item, out);
}

TEST(OpenApi, V3HoldsEverySchemaThatItRefersTo) {
  const auto all = all_resources();
  const Value index = openapi_v3_index(all, [](const std::string&) { return std::string("0"); });
  EXPECT_EQ(index.get("paths").get("apis/apps/v1").get("serverRelativeURL").as_string(),
            "/openapi/v3/apis/apps/v1?hash=0");
  const Value document = openapi_v3(all, "apps", "v1");
  const Value& schemas = document.get("components").get("schemas");
  std::vector<std::string> references;
  collect_references(document, references);
  ASSERT_GT(references.size(), 100U);
  for (const auto& reference : references) {
    EXPECT_TRUE(schemas.contains(reference.substr(std::string("#/components/schemas/").size())))
        << reference;
  }
  const Value& containers =
      schemas.get("io.k8s.api.core.v1.PodSpec").get("properties").get("containers");
  EXPECT_EQ(containers.get("x-kubernetes-patch-merge-key").as_string(), "name");
  EXPECT_EQ(to_json(containers.get("x-kubernetes-list-map-keys")), R"(["name"])");
}

TEST(OpenApi, V3SaysThatPatchesTakeFieldValidation) {
  const auto all = all_resources();
  const Value patch = openapi_v3(all, "apps", "v1")
                          .get("paths")
                          .get("/apis/apps/v1/namespaces/{namespace}/deployments/{name}")
                          .get("patch");
  EXPECT_NE(to_json(patch.get("parameters")).find("fieldValidation"), std::string::npos);
  EXPECT_TRUE(
      patch.get("requestBody").get("content").contains("application/strategic-merge-patch+json"));
  EXPECT_EQ(patch.get("x-kubernetes-group-version-kind").get("kind").as_string(), "Deployment");
}

TEST(OpenApi, V2HoldsEveryDefinitionThatItRefersTo) {
  const auto all = all_resources();
  const Value document = openapi_v2(all);
  std::vector<std::string> references;
  collect_references(document, references);
  for (const auto& reference : references) {
    EXPECT_TRUE(document.get("definitions")
                    .contains(reference.substr(std::string("#/definitions/").size())))
        << reference;
  }
}

}  // namespace
}  // namespace minik::control
