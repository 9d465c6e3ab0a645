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

// `kubectl explain` has a sentence for every kind, part and field.
TEST_F(OpenApi, ExplainsEveryField) {
  const Value document = openapi_v2(all_kinds());
  std::vector<std::string> silent;
  for (const auto& [name, definition] : document["definitions"].entries()) {
    if (definition["description"].as_string().empty()) silent.emplace_back(name.text());
    for (const auto& [field, property] : definition["properties"].entries()) {
      if (property["description"].as_string().empty()) silent.push_back(cat(name.text(), ".", field.text()));
    }
  }
  EXPECT_TRUE(silent.empty()) << join(silent, " ");
}

// kubectl 1.20 checks manifests by it before it sends them.
TEST_F(OpenApi, LetsTheDefaultOfASchemaBeAnything) {
  const Value document = openapi_v2(all_kinds());
  const Value& schema =
      document["definitions"]["io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps"]["properties"];
  for (const auto* field : {"default", "example", "items", "additionalProperties"}) {
    EXPECT_TRUE(schema[field].is_map()) << field;
    EXPECT_TRUE(schema[field]["type"].is_absent()) << field;
  }
  EXPECT_TRUE(schema["enum"]["items"]["type"].is_absent());
}

}  // namespace
}  // namespace minik::control
