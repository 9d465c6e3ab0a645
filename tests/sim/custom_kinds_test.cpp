// Custom kinds in a simulated cluster: what a scenario's CustomResourceDefinitions define is served, in manifests,
// actions, triggers and expectations, over a restart of the API server and a recovery from disk.
#include "tests/sim/faulty_run.h"

#include "sim/trace_file.h"

namespace minik::sim {
namespace {

// Beside the Deployment `web`; the object comes before its definition, as in a folder of manifests.
constexpr std::string_view kWidgets = R"(  - apiVersion: example.com/v1
    kind: Widget
    metadata: {name: early, labels: {size: small}}
    spec: {parts: 3}
  - apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: widgets.example.com}
    spec:
      group: example.com
      scope: Namespaced
      names: {plural: widgets, singular: widget, kind: Widget}
      versions:
      - name: v1
        served: true
        storage: true
        schema:
          openAPIV3Schema:
            type: object
            properties:
              spec:
                type: object
                properties: {parts: {type: integer, maximum: 10}, colour: {type: string, default: red}}
)";

const control::Value& widget(FaultyRun& run, std::string_view name) {
  return run.store().find(definition_of(run.scenario.definitions, "Widget")->id, "default", name);
}

TEST(CustomKinds, AreServedAndDefaulted) {
  FaultyRun run(cat(kWidgets, R"(  timeline:
  - {at: 1m, patch: {kind: Widget, name: early, type: merge, patch: {spec: {parts: 5}}}}
  - {at: 2m, delete: {kind: Widget, name: early}})"));
  run.to(seconds(50));
  EXPECT_EQ(widget(run, "early").at({"spec", "parts"}).as_int(), 3);
  EXPECT_EQ(widget(run, "early").at({"spec", "colour"}).as_string(), "red");
  run.to(minutes(1) + seconds(10));
  EXPECT_EQ(widget(run, "early").at({"spec", "parts"}).as_int(), 5);
  run.to(minutes(2) + seconds(10));
  EXPECT_FALSE(widget(run, "early").has_value());
}

TEST(CustomKinds, WhatTheirSchemaForbidsIsAFailureOfTheRun) {
  FaultyRun run(cat(kWidgets, R"(  timeline:
  - {at: 1m, patch: {kind: Widget, name: early, type: merge, patch: {spec: {parts: 11}}}})"));
  run.to(minutes(2));
  EXPECT_EQ(widget(run, "early").at({"spec", "parts"}).as_int(), 3);
  EXPECT_FALSE(run.run->conclude().passed());
}

TEST(CustomKinds, WithoutASelectorAreNotScaledByThePodsOfOthers) {
  std::string scaled(kWidgets);
  const std::string storage = "        storage: true\n";
  scaled.insert(scaled.find(storage) + storage.size(),
                "        subresources: {scale: {specReplicasPath: .spec.parts, statusReplicasPath: .status.parts}}\n");
  FaultyRun run(cat(scaled, R"(  - apiVersion: autoscaling/v2
    kind: HorizontalPodAutoscaler
    metadata: {name: early}
    spec:
      scaleTargetRef: {apiVersion: example.com/v1, kind: Widget, name: early}
      maxReplicas: 9
      metrics: [{type: Resource, resource: {name: cpu, target: {type: AverageValue, averageValue: 1m}}}]
)"));
  run.to(minutes(3));
  EXPECT_EQ(widget(run, "early").at({"spec", "parts"}).as_int(), 3);
  const control::Value& autoscaler =
      run.store().find(control::kinds::kHorizontalpodautoscalers, "default", "early");
  std::string told;
  for (const auto& c : autoscaler.at({"status", "conditions"}).items()) {
    if (c.get("type").as_string() == "ScalingActive") told = cat(c.get("reason").as_string(), ": ", c.get("message").as_string());
  }
  EXPECT_EQ(told, "InvalidSelector: the HPA target's scale is missing a selector");
}

TEST(CustomKinds, AreNamedByTheNamespaceThatWaitsForThem) {
  FaultyRun run(cat(kWidgets, R"(  - {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
  - apiVersion: example.com/v1
    kind: Widget
    metadata: {name: held, namespace: shop, finalizers: [example.com/hold]}
  timeline:
  - {at: 2m, delete: {kind: Namespace, name: shop}}
  - {at: 20m, patch: {kind: Widget, namespace: shop, name: held, type: merge, patch: {metadata: {finalizers: null}}}})"));
  run.to(minutes(3));
  const auto& home = run.store().find(control::kinds::kNamespaces, "", "shop");
  std::string told;
  for (const auto& c : home.at({"status", "conditions"}).items()) {
    if (c.get("status").as_string() == "True") told += cat(c.get("message").as_string(), "\n");
  }
  EXPECT_EQ(told, "Some resources are remaining: widgets.example.com has 1 resource instances\n"
                  "Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances\n");
  run.to(minutes(20) + seconds(15));
  EXPECT_FALSE(run.store().find(control::kinds::kNamespaces, "", "shop").has_value()) << "it is asked about again and again";
}

TEST(CustomKinds, MayBeExpectedWaitedForAndCounted) {
  FaultyRun run(cat(kWidgets, R"(  timeline:
  - {when: {write: {kind: Widget, verb: patch, name: early}}, scale: {kind: Deployment, name: web, replicas: 7}}
  expect:
  - {name: there, within: 1m, object: {kind: Widget, name: early}, cel: object.spec.parts == 3}
  - {name: counted, within: 1m, count: {kind: Widget, labelSelector: size=small, equals: 1}})"));
  EXPECT_TRUE(run.until([&] { return run.available() == 7; }, minutes(3)));
  EXPECT_TRUE(run.run->conclude().passed());
}

TEST(CustomKinds, OutliveTheServerAndItsDisk) {
  for (const auto* fault : {"stopApi", "cutStorePower"}) {
    FaultyRun run(cat(kWidgets, "  timeline:\n  - {at: 3m, patch: {kind: Widget, name: early, type: merge, patch: {spec: {parts: 7}}}}\n",
                      "  faults:\n  - {at: 2m, for: 20s, ", fault, ": {}}"));
    run.to(minutes(3) + seconds(30));
    EXPECT_EQ(widget(run, "early").at({"spec", "parts"}).as_int(), 7) << fault;
  }
}

TEST(CustomKinds, StandInTheTrace) {
  const auto scenario = parse_scenario(cat("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n"
                                           "  duration: 1m\n  nodes: [{name: node}]\n  workloads:\n", kWidgets), "a.yaml");
  ASSERT_TRUE(scenario) << scenario.error().message;
  std::string first, second;
  for (auto* lines : {&first, &second}) {
    TraceWriter writer([lines](std::string_view line) { *lines += cat(line, "\n"); });
    RunOptions options;
    options.listeners = {&writer};
    ASSERT_TRUE(run_scenario(*scenario, options));
  }
  EXPECT_NE(first.find("\"put\":\"widgets.example.com\",\"key\":\"default/early\""), std::string::npos);
  EXPECT_EQ(first, second);
}

TEST(CustomKinds, ThatNobodyDefinesAreRefusedWhereTheyStand) {
  const auto scenario = parse_scenario("apiVersion: minik.dev/v1alpha1\nkind: Scenario\nmetadata: {name: a}\nspec:\n"
                                       "  nodes: [{name: node}]\n  workloads:\n  - {apiVersion: example.com/v1, kind: Widget, metadata: {name: x}}\n",
                                       "a.yaml");
  ASSERT_FALSE(scenario);
  EXPECT_TRUE(scenario.error().message.starts_with("a.yaml:7: ")) << scenario.error().message;
}

}  // namespace
}  // namespace minik::sim
