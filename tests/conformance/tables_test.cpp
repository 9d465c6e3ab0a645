// Tables and bare metadata, in gets and lists: what kubectl get prints and what controllers that need only metadata read.
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

constexpr std::string_view kPods = "/api/v1/namespaces/default/pods";

class Tables : public Conformance {
 protected:
  void SetUp() override {
    create(kPods, "{metadata: {name: p, labels: {a: b}}, spec: {nodeName: one, containers: [{name: main, image: 'a:1'}]}}");
  }
  std::string columns(const Value& table) {
    std::string text;
    for (const auto& column : table["columnDefinitions"].items()) {
      text += cat(text.empty() ? "" : " ", column[keys::kName].as_string());
    }
    return text;
  }
};

TEST_F(Tables, HaveTheColumnsOfTheirKind) {
  const auto table = get(std::string(kPods), kAsTable).body;
  EXPECT_EQ(columns(table), "Name Ready Status Restarts Age IP Node Nominated Node Readiness Gates");
  EXPECT_EQ(table["rows"].items()[0]["cells"],
            Value::array({"p", "0/1", "Pending", "0", "0s", "<none>", "one", "<none>", "<none>"}));
  EXPECT_EQ(table["columnDefinitions"].items()[0]["type"].as_string(), "string");
  EXPECT_EQ(table["columnDefinitions"].items()[5]["priority"].as_int(), 1);
}

TEST_F(Tables, SayTheVersionOfTheirListAndGoOnInPages) {
  const auto list = get(std::string(kPods));
  EXPECT_EQ(get(std::string(kPods), kAsTable).version(), list.version());
  create(kPods, "{metadata: {name: q}, spec: {containers: [{name: main, image: 'a:1'}]}}");
  const auto page = get(cat(kPods, "?limit=1"), kAsTable);
  EXPECT_EQ(page.body["rows"].size(), 1U);
  EXPECT_FALSE(page.metadata("continue").string().empty());
  EXPECT_EQ(page.metadata("remainingItemCount").as_int(), 1);
}

TEST_F(Tables, CarryAsMuchOfTheObjectAsIsAsked) {
  const auto row = [&](const std::string& query) { return get(cat(kPods, query), kAsTable).body["rows"].items()[0][keys::kObject]; };
  EXPECT_EQ(row("")[keys::kKind].string(), "PartialObjectMetadata");
  EXPECT_EQ(row("?includeObject=Metadata")[keys::kMetadata][keys::kName].string(), "p");
  EXPECT_EQ(row("?includeObject=Object")[keys::kKind].string(), "Pod");
  EXPECT_FALSE(row("?includeObject=None").has_value());
  EXPECT_EQ(get(cat(kPods, "?includeObject=Some"), kAsTable).status, 400);
}

TEST_F(Tables, OfOneObjectHaveOneRow) {
  const auto table = get(cat(kPods, "/p"), kAsTable).body;
  EXPECT_EQ(table[keys::kKind].as_string(), "Table");
  EXPECT_EQ(table["rows"].size(), 1U);
}

TEST_F(Tables, AreTheSameForBothFormsOfAKind) {
  create("/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers",
         "{metadata: {name: a}, spec: {maxReplicas: 3, targetCPUUtilizationPercentage: 50, "
         "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}}}");
  const auto older = get("/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers", kAsTable).body;
  const auto newer = get("/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers", kAsTable).body;
  EXPECT_EQ(columns(older), "Name Reference Targets MinPods MaxPods Replicas Age");
  EXPECT_EQ(older["rows"].items()[0]["cells"], newer["rows"].items()[0]["cells"]);
}

TEST_F(Tables, AreNotMadeOfAnswersThatAreNoObjects) {
  EXPECT_EQ(get(cat(kPods, "/none"), kAsTable).body[keys::kKind].as_string(), "Status");
  const auto gone = call("DELETE", path("none"), "", "application/json", kAsTable);
  EXPECT_EQ(gone.body[keys::kKind].as_string(), "Status");
}

TEST_F(Tables, OfMetadataOnlyLeaveTheRestOut) {
  const auto bare = get(cat(kPods, "/p"), kAsMetadata).body;
  EXPECT_EQ(bare[keys::kApiVersion].as_string(), "meta.k8s.io/v1");
  EXPECT_EQ(bare[keys::kMetadata][keys::kLabels]["a"].string(), "b");
  EXPECT_TRUE(bare[keys::kStatus].is_absent());
  const auto list = get(std::string(kPods), kAsMetadataList).body;
  EXPECT_EQ(list[keys::kKind].as_string(), "PartialObjectMetadataList");
  EXPECT_EQ(list[keys::kItems].size(), 1U);
  const auto patched = call("PATCH", cat(kPods, "/p"), R"({"metadata":{"labels":{"c":"d"}}})", kMergePatch, kAsMetadata);
  EXPECT_EQ(patched.body[keys::kKind].as_string(), "PartialObjectMetadata");
}

}  // namespace
}  // namespace minik::control
