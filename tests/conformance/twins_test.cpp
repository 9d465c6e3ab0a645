// Kinds with two stable forms: what is written in one is read in the other.
#include "tests/conformance/world.h"

namespace minik::control {
namespace {

const std::string kOlder = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers";
const std::string kNewer = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
const std::string kCoreEvents = "/api/v1/namespaces/default/events";
const std::string kEvents = "/apis/events.k8s.io/v1/namespaces/default/events";
constexpr std::string_view kTarget = "scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}";

class Twins : public Conformance {};

TEST_F(Twins, AnAutoscalerOfEitherFormIsOneObject) {
  const auto made =
      create(kOlder, cat("{metadata: {name: a}, spec: {maxReplicas: 3, targetCPUUtilizationPercentage: 50, ", kTarget, "}}"));
  ASSERT_EQ(made.status, 201) << made.message();
  const auto newer = get(cat(kNewer, "/a"));
  EXPECT_EQ(newer.metadata("uid"), made.metadata("uid"));
  const Value& metric = newer.body[keys::kSpec][keys::kMetrics].items()[0];
  EXPECT_EQ(metric[keys::kResource][keys::kName].string(), "cpu");
  EXPECT_EQ(metric[keys::kResource][keys::kTarget][keys::kAverageUtilization].as_int(), 50);
  ASSERT_EQ(patch(cat(kNewer, "/a"), R"({"spec":{"maxReplicas":9}})").status, 200);
  EXPECT_EQ(get(cat(kOlder, "/a")).body[keys::kSpec][keys::kMaxReplicas].as_int(), 9);
  EXPECT_LT(call("DELETE", cat(kOlder, "/a")).status, 300);
  EXPECT_EQ(get(cat(kNewer, "/a")).status, 404);
}

TEST_F(Twins, AnAutoscalerWithoutATargetHasTheUsualOneInBothForms) {
  create(kOlder, cat("{metadata: {name: a}, spec: {maxReplicas: 3, ", kTarget, "}}"));
  EXPECT_EQ(get(cat(kOlder, "/a")).body[keys::kSpec][keys::kTargetCPUUtilizationPercentage].as_int(), 80);
}

TEST_F(Twins, WhatTheOlderFormCannotSayTravelsInItsAnnotations) {
  ASSERT_EQ(create(kNewer, cat("{metadata: {name: a}, spec: {maxReplicas: 3, ", kTarget, R"(, behavior: {scaleDown: {stabilizationWindowSeconds: 60}}, metrics: [
      {type: Resource, resource: {name: memory, target: {type: AverageValue, averageValue: 100Mi}}},
      {type: Pods, pods: {metric: {name: hits}, target: {type: AverageValue, averageValue: '5'}}}]}})")).status, 201);
  const auto before = get(cat(kNewer, "/a")).body[keys::kSpec];
  const auto older = get(cat(kOlder, "/a"));
  EXPECT_TRUE(older.body[keys::kSpec][keys::kTargetCPUUtilizationPercentage].is_absent());
  EXPECT_NE(older.metadata("annotations").get("autoscaling.alpha.kubernetes.io/metrics").string().find("hits"),
            std::string::npos);
  const auto put = call("PUT", cat(kOlder, "/a"), to_json(older.body.with_at({keys::kSpec, keys::kMinReplicas}, 2)));
  ASSERT_EQ(put.status, 200) << put.message();
  const auto after = get(cat(kNewer, "/a"));
  EXPECT_EQ(after.body[keys::kSpec], before.with(keys::kMinReplicas, 2));
  EXPECT_TRUE(after.metadata("annotations").empty());
}

TEST_F(Twins, AnEventOfEitherFormIsOneObject) {
  ASSERT_EQ(create(kCoreEvents, "{metadata: {name: e}, involvedObject: {kind: Pod, namespace: default, name: web}, reason: R, "
                                "message: text, type: Normal, count: 3, source: {component: c}, "
                                "firstTimestamp: '2026-01-01T00:00:00Z'}").status, 201);
  const auto newer = get(cat(kEvents, "/e"));
  ASSERT_EQ(newer.status, 200);
  EXPECT_EQ(newer.body[keys::kApiVersion].string(), "events.k8s.io/v1");
  EXPECT_EQ(newer.body["regarding"][keys::kName].string(), "web");
  EXPECT_EQ(newer.body["note"].string(), "text");
  EXPECT_EQ(newer.body["deprecatedCount"].as_int(), 3);
  EXPECT_EQ(newer.body["deprecatedSource"][keys::kComponent].string(), "c");
  EXPECT_TRUE(newer.body[keys::kMessage].is_absent());
  const auto list = get(kEvents);
  EXPECT_EQ(list.body[keys::kApiVersion].string(), "events.k8s.io/v1");
  EXPECT_EQ(list.body[keys::kItems].size(), 1U);
}

TEST_F(Twins, AnEventOfTheYoungerFormMustSayMore) {
  const auto bare = create(kEvents, "{metadata: {name: e}, regarding: {kind: Pod, namespace: default, name: web}}");
  EXPECT_EQ(bare.status, 422);
  EXPECT_NE(bare.message().find("reportingController: Required value"), std::string::npos) << bare.message();
  const auto full = create(kEvents, "{metadata: {name: e}, regarding: {kind: Pod, namespace: default, name: web}, eventTime: "
                                    "'2026-01-01T00:00:00.000000Z', reportingController: c, reportingInstance: i, action: a, "
                                    "reason: R, type: Normal, note: text}");
  ASSERT_EQ(full.status, 201) << full.message();
  EXPECT_EQ(get(cat(kCoreEvents, "/e")).body[keys::kMessage].string(), "text");
  EXPECT_EQ(get(cat(kCoreEvents, "/e")).body["reportingComponent"].string(), "c");
}

TEST_F(Twins, AWatchOfOneFormSeesWritesInTheOther) {
  auto watching = watch(cat(kEvents, "?watch=true&fieldSelector=regarding.name%3Dweb"));
  create(kCoreEvents, "{metadata: {name: e}, involvedObject: {kind: Pod, namespace: default, name: web}, message: text}");
  create(kCoreEvents, "{metadata: {name: f}, involvedObject: {kind: Pod, namespace: default, name: other}}");
  settle();
  ASSERT_EQ(watching->frames.size(), 1U);
  EXPECT_EQ(watching->frames[0][keys::kObject]["note"].string(), "text");
  EXPECT_EQ(watching->frames[0][keys::kObject][keys::kApiVersion].string(), "events.k8s.io/v1");
}

}  // namespace
}  // namespace minik::control
