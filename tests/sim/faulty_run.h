// A run of a small scenario that a test advances by hand and looks into.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <string_view>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "sim/run.h"

namespace minik::sim {

class FaultyRun {
 public:
  // `spec` is the rest of the scenario's spec, indented by two. Three nodes, one Deployment `web` of six pods that
  // is up after a minute.
  explicit FaultyRun(std::string_view spec, uint64_t seed = 1, std::string_view image = "{match: \"*\", pull: 1s, start: 100ms, ready: 1s}") {
    auto parsed = parse_scenario(cat(R"(apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: faulty}
spec:
  duration: 1h
  nodes:
  - {name: node, count: 3, zones: [a, b, c]}
  images:
  - )", image, R"(
  workloads:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: 6
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          terminationGracePeriodSeconds: 5
          tolerations:
          - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 30}
          containers:
          - name: web
            image: web:1
            ports: [{containerPort: 80}]
            readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 1, failureThreshold: 2}
            livenessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 5, failureThreshold: 3}
            resources: {requests: {cpu: 100m}, limits: {memory: 100Mi}}
)", spec), "faulty.yaml");
    EXPECT_TRUE(parsed.ok()) << (parsed ? "" : parsed.error().message);
    if (!parsed) return;
    scenario = *std::move(parsed);
    RunOptions options;
    options.seed = seed;
    options.on_action = [this](Duration, const std::string& what) { notes.push_back(what); };
    run.emplace(scenario, options);
    EXPECT_TRUE(run->start().ok());
  }

  void to(Duration until) { run->advance(until); }
  // On until this is so, or for so long; whether it came to be.
  bool until(const std::function<bool()>& condition, Duration patience) {
    const Duration end = run->now() + patience;
    while (!condition() && run->now() < end) run->advance(run->now() + seconds(1));
    return condition();
  }

  const control::Store& store() { return run->cluster().store(); }
  const control::Value& node(const std::string& name) { return store().find(control::kinds::kNodes, "", name); }
  std::string condition(const std::string& name, std::string_view type) {
    return control::condition(node(name), type)[control::keys::kStatus].string();
  }
  int64_t available() {
    return store().find(control::kinds::kDeployments, "default", "web")[control::keys::kStatus][control::keys::kAvailableReplicas].as_int();
  }
  int64_t ready_pods() { return count([](const control::Value& pod) { return control::is_pod_ready(pod) && !control::is_deleting(pod); }); }
  int64_t restarts() {
    int64_t sum = 0;
    store().for_each(control::kinds::kPods, [&](const control::Value& pod) {
      for (const auto& c : pod[control::keys::kStatus][control::keys::kContainerStatuses].items()) sum += c[control::keys::kRestartCount].as_int();
    });
    return sum;
  }
  int64_t count(const std::function<bool(const control::Value&)>& which) {
    int64_t n = 0;
    store().for_each(control::kinds::kPods, [&](const control::Value& pod) { n += which(pod); });
    return n;
  }
  // The reason that some container waits or ended for.
  bool any_container(std::string_view reason) {
    return count([&](const control::Value& pod) {
      for (const auto& c : pod[control::keys::kStatus][control::keys::kContainerStatuses].items()) {
        if (c[control::keys::kState][control::keys::kWaiting][control::keys::kReason].as_string() == reason) return true;
        if (c[control::keys::kLastState][control::keys::kTerminated][control::keys::kReason].as_string() == reason) return true;
      }
      return false;
    }) > 0;
  }
  bool noted(std::string_view text) const {
    for (const auto& note : notes) {
      if (note.find(text) != std::string::npos) return true;
    }
    return false;
  }

  Scenario scenario;
  std::vector<std::string> notes;
  std::optional<Run> run;
};

}  // namespace minik::sim
