// Discovery and OpenAPI: what the API says of itself is what it serves.
#include <algorithm>
#include <set>

#include "control/schema/discovery.h"
#include "control/schema/openapi.h"
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

std::vector<const ResourceInfo*> all_kinds() {
  std::vector<const ResourceInfo*> all;
  for (const auto& resource : Schema::builtin().resources()) all.push_back(&resource);
  return all;
}

class Discovery : public Conformance {};

TEST_F(Discovery, ListsEveryResourceWithItsVerbsInBothForms) {
  const auto all = all_kinds();
  const Value groups = discover_all(all, DiscoveryPart::kGroups);
  const Value core = discover_all(all, DiscoveryPart::kCore);
  std::set<std::string> aggregated;
  for (const Value* document : {&groups, &core}) {
    EXPECT_EQ((*document)[keys::kKind].string(), "APIGroupDiscoveryList");
    for (const auto& group : (*document)[keys::kItems].items()) {
      for (const auto& version : group[keys::kVersions].items()) {
        for (const auto& resource : version[keys::kResources].items()) {
          aggregated.insert(cat(group[keys::kMetadata][keys::kName].string(), "/", version[keys::kVersion].string(), "/",
                                resource["resource"].string()));
        }
      }
    }
  }
  for (const auto* resource : all) {
    EXPECT_TRUE(aggregated.contains(cat(resource->group, "/", resource->version, "/", resource->plural))) << resource->plural;
    const Value list = discover_resources(all, resource->group, resource->version);
    const bool listed = std::ranges::any_of(list[keys::kResources].items(), [&](const Value& entry) {
      return entry[keys::kName].as_string() == resource->plural && entry[keys::kKind].as_string() == resource->kind &&
             entry["namespaced"].as_bool() == resource->namespaced;
    });
    EXPECT_TRUE(listed) << resource->plural;
  }
}

// What is announced is served: no verb of discovery answers that it is not allowed.
TEST_F(Discovery, AnnouncesNoVerbThatIsRefused) {
  for (const auto* resource : stored_kinds()) {
    const std::string collection = collection_of(*resource);
    const auto answers = [&](std::string_view verb, int wanted, const Answer& answer) {
      if (!resource->has_verb(verb)) return;
      EXPECT_EQ(answer.status, wanted) << verb << " " << collection << ": " << answer.message();
    };
    answers("list", 200, get(collection));
    answers("get", 404, get(cat(collection, "/none")));
    answers("delete", 404, call("DELETE", cat(collection, "/none")));
    answers("patch", 404, patch(cat(collection, "/none"), "{}"));
  }
}

class OpenApi : public ::testing::Test {
 protected:
  // Every "$ref" of a document.
  static void collect(const Value& value, std::set<std::string>& into) {
    for (const auto& [key, item] : value.entries()) {
      if (key.text() == "$ref" && item.is_string()) into.insert(item.string());
      collect(item, into);
    }
    for (const auto& item : value.items()) collect(item, into);
  }
};

TEST_F(OpenApi, OfEachGroupDefinesAllThatItRefersTo) {
  const auto all = all_kinds();
  std::set<std::pair<std::string_view, std::string_view>> versions;
  for (const auto* resource : all) versions.emplace(resource->group, resource->version);
  for (const auto& [group, version] : versions) {
    const Value document = openapi_v3(all, group, version);
    std::set<std::string> references;
    collect(document, references);
    for (const auto& reference : references) {
      constexpr std::string_view kPrefix = "#/components/schemas/";
      ASSERT_TRUE(reference.starts_with(kPrefix)) << reference;
      EXPECT_TRUE(document["components"]["schemas"].get(reference.substr(kPrefix.size())).is_map()) << reference;
    }
  }
}

// `kubectl explain` has a sentence for every field of what people write.
TEST_F(OpenApi, ExplainsEveryFieldOfTheKindsThatPeopleWrite) {
  const std::set<std::string_view> written{
      "Pod", "Service", "ConfigMap", "Secret", "Namespace", "ServiceAccount", "PersistentVolumeClaim", "PersistentVolume",
      "LimitRange", "ResourceQuota", "ReplicationController", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job",
      "CronJob", "HorizontalPodAutoscaler", "Ingress", "IngressClass", "NetworkPolicy", "PodDisruptionBudget", "Role",
      "ClusterRole", "RoleBinding", "ClusterRoleBinding", "StorageClass", "PriorityClass", "RuntimeClass", "Lease",
      "CertificateSigningRequest", "EndpointSlice"};
  // Drivers of single providers, which nothing here can mount.
  const auto is_provider = [](std::string_view name) {
    constexpr std::string_view kOwn[] = {"ConfigMap", "DownwardAPI", "EmptyDir", "Ephemeral", "HostPath", "Image",
                                         "Local", "NFS", "PersistentVolumeClaim", "Projected", "Secret"};
    if (!name.ends_with("VolumeSource")) return false;
    return std::ranges::none_of(kOwn, [&](std::string_view own) { return name == cat(own, "VolumeSource"); });
  };
  const Value document = openapi_v2(all_kinds());
  const Value& definitions = document["definitions"];
  std::set<std::string> seen, silent;
  std::vector<std::string> left;
  for (const auto& [name, definition] : definitions.entries()) {
    const auto kind = name.text().substr(name.text().rfind('.') + 1);
    if (written.contains(kind)) left.emplace_back(name.text());
  }
  while (!left.empty()) {
    const std::string name = left.back();
    left.pop_back();
    const std::string_view kind = std::string_view(name).substr(name.rfind('.') + 1);
    if (!seen.insert(name).second || is_provider(kind)) continue;
    const Value& definition = definitions.get(name);
    for (const auto& [field, property] : definition["properties"].entries()) {
      if (property["description"].as_string().empty()) silent.insert(cat(kind, ".", field.text()));
    }
    std::set<std::string> references;
    collect(definition, references);
    for (const auto& reference : references) left.push_back(reference.substr(std::string("#/definitions/").size()));
  }
  EXPECT_TRUE(silent.empty()) << join(std::vector<std::string>(silent.begin(), silent.end()), " ");
}

}  // namespace
}  // namespace minik::control
