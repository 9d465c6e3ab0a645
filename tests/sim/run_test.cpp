// What a run says of itself: when all has come to rest, what has not happened, and in which order.
#include "sim/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "control/base/text.h"

namespace minik::sim {
namespace {

struct Ended {
  RunOutcome outcome;
  std::vector<std::string> notes;

  // Of the first finding whose name has this in it.
  Finding finding(std::string_view what) const {
    for (const auto& f : outcome.findings) {
      if (f.what.find(what) != std::string::npos) return f;
    }
    return {"no such finding", true, {}, {}};
  }
};

// The rest of a scenario's spec, indented by two, with two nodes.
Scenario scenario_of(std::string_view spec) {
  auto scenario = parse_scenario(cat(R"(apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: small}
spec:
  nodes: [{name: n, count: 2}]
  images:
  - {match: "bad:*", pull: 1s, start: 100ms, exitAfter: 5s, exitCode: 1}
  - {match: "*", pull: 1s, start: 100ms, ready: 2s, stop: 1s}
)", spec), "small.yaml");
  EXPECT_TRUE(scenario.ok()) << (scenario ? "" : scenario.error().message);
  return scenario ? *std::move(scenario) : Scenario{};
}

Ended run_of(std::string_view spec, uint64_t seed = 1) {
  const Scenario scenario = scenario_of(spec);
  Ended ended;
  RunOptions options;
  options.seed = seed;
  options.on_action = [&](Duration, const std::string& what) { ended.notes.push_back(what); };
  auto outcome = run_scenario(scenario, options);
  EXPECT_TRUE(outcome.ok());
  if (outcome) ended.outcome = *std::move(outcome);
  return ended;
}

std::string set_of(std::string_view kind, std::string_view name, std::string_view image, int replicas, std::string_view more = "") {
  return cat("{apiVersion: apps/v1, kind: ", kind, ", metadata: {name: ", name, "}, spec: {replicas: ", replicas, ", ", more,
             "selector: {matchLabels: {app: ", name, "}}, template: {metadata: {labels: {app: ", name,
             "}}, spec: {containers: [{name: a, image: \"", image, "\"}]}}}}");
}

TEST(Convergence, WhatCrashesAgainAndAgainNeverComesToRest) {
  const auto ended = run_of(cat("  duration: 10m\n  workloads:\n  - ", set_of("Deployment", "web", "bad:1", 1),
                                "\n  convergence: {within: 15m}\n"));
  const auto rest = ended.finding("comes to rest");
  EXPECT_FALSE(rest.held) << "at " << format_duration(rest.at);
}

TEST(Convergence, AContainerThatOutlivesItsLastRunIsAtRest) {
  const auto ended = run_of(cat("  duration: 3m\n  workloads:\n  - ", set_of("Deployment", "web", "web:1", 2),
                                "\n  faults: [{at: 2m55s, for: 1s, crashContainers: {count: 1}}]\n  convergence: {within: 5m}\n"));
  const auto rest = ended.finding("comes to rest");
  EXPECT_TRUE(rest.held) << rest.detail;
  EXPECT_GT(rest.at, minutes(3) + seconds(50)) << "it has to show for a minute that it does not end again";
}

TEST(Convergence, AStatefulSetIsAtRestWhenItsRolloutIsOver) {
  const auto ended = run_of(cat("  duration: 5m\n  workloads:\n  - ",
                                set_of("StatefulSet", "db", "db:1", 3, "serviceName: db, minReadySeconds: 60, "),
                                "\n  timeline:\n  - {at: 4m30s, setImage: {kind: StatefulSet, name: db, container: a, image: \"db:2\"}}"
                                "\n  convergence: {within: 10m}\n"));
  const auto rest = ended.finding("comes to rest");
  EXPECT_TRUE(rest.held) << rest.detail;
  EXPECT_GT(rest.at, minutes(7)) << "three pods, each of them a minute";
}

TEST(Convergence, NamesWhatIsInTheWay) {
  const auto ended = run_of(R"(  duration: 2m
  workloads:
  - {apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {initContainers: [{name: migrate, image: "bad:1"}], containers: [{name: a, image: "db:1"}]}}
  - {apiVersion: batch/v1, kind: Job, metadata: {name: zero}, spec: {parallelism: 0, template: {spec: {restartPolicy: Never, containers: [{name: a, image: "ok:1"}]}}}}
  - {apiVersion: apps/v1, kind: Deployment, metadata: {name: q}, spec: {selector: {matchLabels: {app: q}}, template: {metadata: {labels: {app: q}}, spec: {serviceAccountName: nosuch, containers: [{name: a, image: "ok:1"}]}}}}
  - {apiVersion: apps/v1, kind: StatefulSet, metadata: {name: s}, spec: {serviceName: s, selector: {matchLabels: {app: s}}, template: {metadata: {labels: {app: s}}, spec: {serviceAccountName: nosuch, containers: [{name: a, image: "ok:1"}]}}}}
  convergence: {within: 1m}
)");
  const auto rest = ended.finding("comes to rest");
  EXPECT_FALSE(rest.held);
  EXPECT_NE(rest.detail.find("Pod default/p: init container migrate waits: CrashLoopBackOff"), std::string::npos) << rest.detail;
  EXPECT_NE(rest.detail.find("0 of 1 replicas are updated: ReplicaFailure: "), std::string::npos) << rest.detail;
  EXPECT_NE(rest.detail.find("StatefulSet default/s: 0 of 1 replicas are available: "), std::string::npos) << rest.detail;
  EXPECT_NE(rest.detail.find("serviceaccount \"nosuch\" not found"), std::string::npos) << rest.detail;
  EXPECT_EQ(rest.detail.find("zero"), std::string::npos) << "a Job that is to run nothing rests: " << rest.detail;
}

TEST(Applying, GoesOnBehindAnObjectThatIsRefused) {
  const auto ended = run_of(R"(  duration: 1m
  workloads:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}}
  - {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
  expect:
  - {within: 30s, object: {kind: Namespace, name: shop}, matches: {status: {phase: Active}}}
)");
  EXPECT_TRUE(ended.finding("Namespace").held) << "the second is there, as with kubectl";
  const auto refused = ended.finding("apply ConfigMap c");
  EXPECT_FALSE(refused.held);
  EXPECT_NE(refused.detail.find("\"shop\" not found"), std::string::npos) << refused.detail;
}

TEST(Actions, OneThatHasNotHappenedByTheEndFailsTheRun) {
  const auto ended = run_of(cat("  duration: 3m\n  workloads:\n  - ", set_of("Deployment", "web", "web:1", 1), R"(
  timeline:
  - {at: 1m, failApi: {share: 100%, code: 503}}
  - {at: 2m, scale: {kind: Deployment, name: web, replicas: 9}}
)"));
  const auto finding = ended.finding("every action");
  EXPECT_FALSE(finding.held);
  EXPECT_TRUE(finding.detail.starts_with("scale web: ")) << finding.detail;
}

TEST(Actions, ADrainThatIsNotOverIsMentioned) {
  const auto ended = run_of(cat("  duration: 3m\n  workloads:\n  - ", set_of("Deployment", "web", "web:1", 2), R"(
  - {apiVersion: policy/v1, kind: PodDisruptionBudget, metadata: {name: web}, spec: {maxUnavailable: 0, selector: {matchLabels: {app: web}}}}
  timeline:
  - {at: 1m, drain: {names: [n-0, n-1]}}
)"));
  EXPECT_TRUE(std::ranges::any_of(ended.notes, [](const std::string& note) { return note.starts_with("not over at the end: drain of n-"); }));
}

TEST(Actions, ThoseOfOneMomentHappenInTheOrderOfTheFile) {
  for (uint64_t seed = 1; seed <= 8; ++seed) {
    const auto ended = run_of(cat("  duration: 90s\n  workloads:\n  - ", set_of("Deployment", "web", "web:1", 1), R"(
  timeline:
  - {at: 1m, scale: {kind: Deployment, name: web, replicas: 7}}
  - {at: 1m, scale: {kind: Deployment, name: web, replicas: 5}}
  - {at: 1m, scale: {kind: Deployment, name: web, replicas: 2}}
  expect:
  - {within: 80s, object: {kind: Deployment, name: web}, matches: {status: {updatedReplicas: 1}}}
  - {after: 61s, always: true, object: {kind: Deployment, name: web}, matches: {spec: {replicas: 2}}}
)"), seed);
    EXPECT_TRUE(ended.outcome.findings.at(1).held) << ended.outcome.findings.at(1).detail << " with seed " << seed;
  }
}

TEST(Kinds, OneWithTwoFormsIsTheOneThatIsStored) {
  const auto ended = run_of(cat("  duration: 3m\n  workloads:\n  - ", set_of("Deployment", "web", "web:1", 2), R"y(
  - {apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, metadata: {name: web}, spec: {maxReplicas: 4, scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 90}}}]}}
  timeline:
  - {at: 30s, patch: {kind: HorizontalPodAutoscaler, name: web, type: merge, patch: {spec: {metrics: [{type: Resource, resource: {name: memory, target: {type: Utilization, averageUtilization: 70}}}]}}}}
  - when: {write: {verb: update, kind: HorizontalPodAutoscaler, name: web}}
    apply: {apiVersion: v1, kind: ConfigMap, metadata: {name: patched}}
  - when: {write: {verb: create, kind: Event}}
    apply: {apiVersion: v1, kind: ConfigMap, metadata: {name: told}}
  expect:
  - {within: 1m, object: {kind: HorizontalPodAutoscaler, name: web}, matches: {spec: {metrics: [{resource: {name: memory}}]}}}
  - {within: 1m, count: {kind: HorizontalPodAutoscaler, equals: 1}}
  - {within: 1m, list: {kind: Event}, cel: 'objects.exists(e, e.involvedObject.kind == "Pod")'}
  - {within: 2m, object: {kind: ConfigMap, name: patched}, matches: {metadata: {name: patched}}}
  - {within: 1m, object: {kind: ConfigMap, name: told}, matches: {metadata: {name: told}}}
)y"));
  for (const auto& finding : ended.outcome.findings) EXPECT_TRUE(finding.held) << finding.what << ": " << finding.detail;
}

TEST(Leaders, ANewProcessOfTheControllersWaitsForTheLeaseOfTheOldOne) {
  const Scenario scenario = scenario_of(R"(  duration: 10m
  timeline:
  - {at: 2m, restart: controllers}
  - {at: 4m, restart: scheduler}
  faults: [{at: 6m, for: 3s, crashComponent: {component: controllers}}]
)");
  sim::Run run(scenario, {.seed = 1, .listeners = {}, .on_action = {}});
  ASSERT_TRUE(run.start().ok());
  const auto runs_at = [&](Duration at, const Component& component) {
    run.advance(at);
    return run.cluster().running(component);
  };
  EXPECT_FALSE(runs_at(minutes(2) + seconds(14), Component::kControllers));
  EXPECT_TRUE(runs_at(minutes(2) + seconds(19), Component::kControllers));
  EXPECT_TRUE(runs_at(minutes(4) + seconds(1), Component::kScheduler)) << "it gives its lease back as it ends";
  EXPECT_FALSE(runs_at(minutes(6) + seconds(17), Component::kControllers));
  EXPECT_TRUE(runs_at(minutes(6) + seconds(22), Component::kControllers));
}

TEST(NodeNames, DoNotDependOnTheNumberOfPools) {
  NodePool front, back;
  front.name = "front";
  front.count = 12;
  back.name = "back";
  const std::vector pools{front, back};
  EXPECT_TRUE(names_node(pools, "back-0"));
  EXPECT_FALSE(names_node(pools, "back"));
  EXPECT_EQ(known_nodes(pools), "front-0 to front-11, back-0");
}

}  // namespace
}  // namespace minik::sim
