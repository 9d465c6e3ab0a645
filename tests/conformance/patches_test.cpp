// JSON patch (RFC 6902), merge patch (RFC 7386) and strategic merge patch with each of its directives.
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";
constexpr std::string_view kDeployments = "/apis/apps/v1/namespaces/default/deployments";

class Patches : public Conformance {
 protected:
  const std::string map = path("a");
  const std::string web = cat(kDeployments, "/web");

  void SetUp() override {
    create_config_map("a");
    ASSERT_EQ(create(kDeployments, R"(
metadata: {name: web, finalizers: [example.com/a, example.com/b]}
spec:
  selector: {matchLabels: {app: web}}
  strategy: {rollingUpdate: {maxSurge: 1}}
  template:
    metadata: {labels: {app: web}}
    spec:
      nodeSelector: {disk: ssd}
      containers:
      - {name: web, image: "web:1", ports: [{containerPort: 80}], env: [{name: A, value: a}, {name: B, value: b}]}
      - {name: helper, image: "helper:1"}
      volumes: [{name: data, emptyDir: {}}]
)").status, 201);
  }
  Value pod_spec() { return get(web).body[keys::kSpec][keys::kTemplate][keys::kSpec]; }
  std::string names(const Value& list) {
    std::string text;
    for (const auto& item : list.items()) text += cat(text.empty() ? "" : " ", item[keys::kName].as_string());
    return text;
  }
  Answer strategic(const std::string& pod_spec) {
    return patch(web, cat(R"({"spec":{"template":{"spec":)", pod_spec, "}}}"), kStrategicPatch);
  }
};

TEST_F(Patches, JsonPatchDoesEachOperation) {
  const auto answer = patch(map, R"([
    {"op":"test","path":"/data/a","value":"1"},
    {"op":"add","path":"/data/b","value":"2"},
    {"op":"copy","from":"/data/b","path":"/data/c"},
    {"op":"move","from":"/data/a","path":"/data/d"},
    {"op":"replace","path":"/data/b","value":"3"},
    {"op":"remove","path":"/data/c"}])", kJsonPatch);
  ASSERT_EQ(answer.status, 200) << answer.message();
  EXPECT_EQ(to_json(answer.body["data"]), R"({"b":"3","d":"1"})");
}

TEST_F(Patches, ANegativeIndexOfAJsonPatchCountsFromTheEnd) {
  const auto answer = patch(web, R"([{"op":"remove","path":"/metadata/finalizers/-2"},
    {"op":"replace","path":"/spec/template/spec/containers/-1/image","value":"helper:9"}])", kJsonPatch);
  ASSERT_EQ(answer.status, 200) << answer.message();
  EXPECT_EQ(to_json(answer.metadata("finalizers")), R"(["example.com/b"])");
  EXPECT_EQ(pod_spec()[keys::kContainers].items()[1][keys::kImage].string(), "helper:9");
  EXPECT_EQ(patch(web, R"([{"op":"remove","path":"/metadata/finalizers/-2"}])", kJsonPatch).status, 422);
}

TEST_F(Patches, AFailedTestOfAJsonPatchIsInvalidAndChangesNothing) {
  const auto answer =
      patch(map, R"([{"op":"add","path":"/data/b","value":"2"},{"op":"test","path":"/data/a","value":"no"}])", kJsonPatch);
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.reason(), "Invalid");
  // kubectl shows the message of what names no object: "The request is invalid: …".
  EXPECT_EQ(answer.message().find("the server rejected our request due to an error in our request"), 0U) << answer.message();
  EXPECT_TRUE(answer.body[keys::kDetails][keys::kKind].is_absent());
  EXPECT_TRUE(get(map).body["data"]["b"].is_absent());
}

TEST_F(Patches, AJsonPatchOfWhatIsNotThereIsInvalidAndWhatIsNoPatchABadRequest) {
  EXPECT_EQ(patch(map, R"([{"op":"remove","path":"/data/none"}])", kJsonPatch).status, 422);
  EXPECT_EQ(patch(map, R"({"op":"remove"})", kJsonPatch).status, 400);
  EXPECT_EQ(patch(map, R"([{"op":"jump","path":"/data/a"}])", kJsonPatch).status, 422);
  EXPECT_EQ(patch(map, "[1", kJsonPatch).status, 400);
  EXPECT_EQ(patch(map, "{}", "text/plain").status, 415);
}

TEST_F(Patches, MergePatchRemovesByNullAndReplacesLists) {
  EXPECT_EQ(to_json(patch(map, R"({"data":{"a":null,"b":"2"}})").body["data"]), R"({"b":"2"})");
  const auto answer = patch(web, R"({"metadata":{"finalizers":["example.com/c"]}})");
  EXPECT_EQ(to_json(answer.metadata("finalizers")), R"(["example.com/c"])");
}

TEST_F(Patches, APatchMayDemandAVersion) {
  const auto version = get(map).version();
  EXPECT_EQ(patch(map, R"({"data":{"b":"2"}})").status, 200);
  const auto late = patch(map, cat(R"({"metadata":{"resourceVersion":")", version, R"("},"data":{"b":"3"}})"));
  EXPECT_EQ(late.status, 409);
  EXPECT_EQ(late.reason(), "Conflict");
}

TEST_F(Patches, APatchMayNotRename) {
  EXPECT_EQ(patch(map, R"({"metadata":{"name":"other"}})").status, 400);
  EXPECT_EQ(patch(map, R"({"kind":"Secret"})").status, 400);
}

TEST_F(Patches, StrategicMergesListsByTheirKey) {
  ASSERT_EQ(strategic(R"({"containers":[{"name":"web","image":"web:2"}]})").status, 200);
  EXPECT_EQ(names(pod_spec()[keys::kContainers]), "web helper");
  EXPECT_EQ(pod_spec()[keys::kContainers].items()[0][keys::kImage].string(), "web:2");
  EXPECT_EQ(names(pod_spec()[keys::kContainers].items()[0][keys::kEnv]), "A B");
  ASSERT_EQ(strategic(R"({"containers":[{"name":"third","image":"third:1"}]})").status, 200);
  EXPECT_EQ(names(pod_spec()[keys::kContainers]), "third web helper") << "a new item is first where nothing says its place";
}

TEST_F(Patches, StrategicDeletesAnItemByDirective) {
  ASSERT_EQ(strategic(R"({"containers":[{"name":"helper","$patch":"delete"}]})").status, 200);
  EXPECT_EQ(names(pod_spec()[keys::kContainers]), "web");
}

TEST_F(Patches, StrategicReplacesAListOrAMapByDirective) {
  ASSERT_EQ(strategic(R"({"containers":[{"name":"only","image":"only:1"},{"$patch":"replace"}]})").status, 200);
  EXPECT_EQ(names(pod_spec()[keys::kContainers]), "only");
  ASSERT_EQ(strategic(R"({"nodeSelector":{"$patch":"replace","zone":"a"}})").status, 200);
  EXPECT_EQ(to_json(pod_spec()[keys::kNodeSelector]), R"({"zone":"a"})");
  ASSERT_EQ(strategic(R"({"nodeSelector":{"$patch":"delete"}})").status, 200);
  EXPECT_TRUE(pod_spec()[keys::kNodeSelector].empty());
}

TEST_F(Patches, StrategicMergeIsSaidAloud) {
  ASSERT_EQ(strategic(R"({"nodeSelector":{"$patch":"merge","zone":"a"}})").status, 200);
  EXPECT_EQ(to_json(pod_spec()[keys::kNodeSelector]), R"({"disk":"ssd","zone":"a"})");
}

TEST_F(Patches, StrategicDeletesFromAPrimitiveList) {
  const auto answer =
      patch(web, R"({"metadata":{"$deleteFromPrimitiveList/finalizers":["example.com/a"]}})", kStrategicPatch);
  ASSERT_EQ(answer.status, 200) << answer.message();
  EXPECT_EQ(to_json(answer.metadata("finalizers")), R"(["example.com/b"])");
  const auto more = patch(web, R"({"metadata":{"finalizers":["example.com/c"]}})", kStrategicPatch);
  EXPECT_EQ(to_json(more.metadata("finalizers")), R"(["example.com/c","example.com/b"])");
}

TEST_F(Patches, StrategicSetsTheOrderOfAList) {
  ASSERT_EQ(strategic(R"({"$setElementOrder/containers":[{"name":"helper"},{"name":"web"}],
                          "containers":[{"name":"helper","image":"helper:2"}]})").status, 200);
  EXPECT_EQ(names(pod_spec()[keys::kContainers]), "helper web");
  EXPECT_EQ(pod_spec()[keys::kContainers].items()[0][keys::kImage].string(), "helper:2");
}

TEST_F(Patches, StrategicRetainsOnlyTheKeysItNames) {
  const auto answer = patch(web, R"({"spec":{"strategy":{"$retainKeys":["type"],"type":"Recreate"}}})", kStrategicPatch);
  ASSERT_EQ(answer.status, 200) << answer.message();
  EXPECT_EQ(to_json(answer.body[keys::kSpec]["strategy"]), R"({"type":"Recreate"})");
  ASSERT_EQ(strategic(R"({"volumes":[{"name":"data","$retainKeys":["name","configMap"],"configMap":{"name":"a"}}]})").status,
            200);
  EXPECT_TRUE(pod_spec()["volumes"].items()[0]["emptyDir"].is_absent());
}

TEST_F(Patches, AnUnknownDirectiveOrANamelessItemIsRefused) {
  EXPECT_EQ(strategic(R"({"containers":[{"name":"web","$patch":"melt"}]})").status, 400);
  EXPECT_EQ(strategic(R"({"containers":[{"image":"web:2"}]})").status, 400);
  EXPECT_EQ(names(pod_spec()[keys::kContainers]), "web helper");
}

TEST_F(Patches, WhatAPatchMakesIsValidated) {
  const auto answer = patch(web, R"({"spec":{"replicas":-1}})");
  EXPECT_EQ(answer.status, 422);
  EXPECT_EQ(answer.cause(), "spec.replicas FieldValueInvalid");
  EXPECT_EQ(patch(web, R"({"spec":{"replicas":"many"}})").status, 400);
  EXPECT_EQ(patch(cat(web, "?fieldValidation=Strict"), R"({"spec":{"relicas":1}})").status, 400);
}

TEST_F(Patches, OfWhatIsNotThereAreNotFound) {
  for (const auto* type : {kMergePatch, kStrategicPatch}) EXPECT_EQ(patch(path("none"), "{}", type).status, 404);
  EXPECT_EQ(patch(path("none"), "[]", kJsonPatch).status, 404);
}

}  // namespace
}  // namespace minik::control
