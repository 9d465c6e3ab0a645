// Every fault that a scenario may name: it strikes, and two runs of one seed with it are the same to the byte.
#include <gtest/gtest.h>

#include <algorithm>

#include "control/base/text.h"
#include "control/object/json.h"
#include "sim/run.h"
#include "sim/scenario/fault_draws.h"
#include "sim/scenario/parts.h"

namespace minik::sim {
namespace {

struct Told {
  std::string hash;
  std::vector<std::string> actions;
};

// Three machines, a Deployment that is scaled and rolled in the fault, a webhook that is asked about its pods.
std::string small_scenario(std::string_view fault) {
  return cat(R"(apiVersion: minik.dev/v1alpha1
kind: Scenario
metadata: {name: small}
spec:
  duration: 2m
  convergence: none
  nodes: [{name: node, count: 3}]
  images: [{match: "*", pull: {min: 1s, max: 3s}, ready: {min: 1s, max: 2s}, needs: {dns: true, else: notReady}}]
  workloads:
  - apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web}
    spec:
      replicas: 4
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
          - name: web
            image: web:1
            readinessProbe: {httpGet: {path: /, port: 80}, periodSeconds: 2}
            resources: {requests: {cpu: 100m, memory: 64Mi}, limits: {memory: 100Mi}}
  - apiVersion: admissionregistration.k8s.io/v1
    kind: ValidatingWebhookConfiguration
    metadata: {name: guard}
    webhooks:
    - name: guard.example.com
      failurePolicy: Fail
      sideEffects: None
      timeoutSeconds: 5
      admissionReviewVersions: [v1]
      clientConfig: {url: "https://guard.example.com/"}
      rules: [{apiGroups: [""], apiVersions: [v1], operations: [CREATE], resources: [pods]}]
  timeline:
  - {at: 42s, setImage: {kind: Deployment, name: web, container: web, image: "web:2"}}
  - {at: 50s, scale: {kind: Deployment, name: web, replicas: 6}}
  faults: [)", fault, "]\n");
}

Told run_once(const Scenario& scenario) {
  Told told;
  RunOptions options;
  options.seed = 5;
  options.on_action = [&told](Duration, const std::string& what) { told.actions.push_back(what); };
  const auto outcome = run_scenario(scenario, options);
  EXPECT_TRUE(outcome.ok());
  if (outcome) told.hash = outcome->trace_hash;
  return told;
}

TEST(EveryFault, StrikesAndIsTheSameInEveryRunOfOneSeed) {
  const std::string calm = run_once(*parse_scenario(small_scenario(""), "small.yaml")).hash;
  Rng rng(11);
  for (const auto name : fault_names()) {
    SCOPED_TRACE(name);
    DrawnWorld world{rng, 3};
    bool felt = false;
    for (int draws = 0; draws < 20 && !felt; ++draws) {  // one request of a hundred that gets lost may be none
      const std::string fault = cat("{at: 40s, for: 40s, ", name, ": ", control::to_json(draw_fault(name, world)), "}");
      const auto scenario = parse_scenario(small_scenario(fault), "small.yaml");
      ASSERT_TRUE(scenario.ok()) << scenario.error().message;
      const Told first = run_once(*scenario);
      EXPECT_TRUE(std::ranges::any_of(first.actions, [&](const std::string& what) { return what.starts_with(name); })) << "it never began";
      felt = first.hash != calm;
      if (!felt) continue;
      const Told second = run_once(*scenario);
      EXPECT_EQ(first.hash, second.hash) << fault;
      EXPECT_EQ(first.actions, second.actions);
    }
    EXPECT_TRUE(felt) << "the run is the same without it";
  }
}

}  // namespace
}  // namespace minik::sim
