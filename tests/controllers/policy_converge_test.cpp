// Convergence of the controllers that keep order in a namespace; see converge.h.
#include "tests/controllers/converge.h"

namespace minik::sim {
namespace {

TEST(PolicyConvergence, AReplicationControllerEndsAtItsLastNumber) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), R"(
apiVersion: v1
kind: ReplicationController
metadata: {name: web}
spec:
  replicas: 3
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
)");
  story.changes.push_back(
      merge_patch_at(seconds(15), "replicationcontrollers", "web", R"({"spec":{"replicas":9}})"));
  story.changes.push_back(
      merge_patch_at(seconds(25), "replicationcontrollers", "web", R"({"spec":{"replicas":4}})"));
  expect_convergence(story);
}

TEST(PolicyConvergence, AQuotaLetsASetHaveAsManyPodsAsItAllows) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), R"(
apiVersion: v1
kind: ResourceQuota
metadata: {name: q}
spec: {hard: {pods: "4", count/configmaps: "10"}}
)");
  const auto set = apply_at(seconds(10), R"(
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web}
spec:
  replicas: 9
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
)");
  story.changes.insert(story.changes.end(), set.begin(), set.end());
  story.changes.push_back(
      merge_patch_at(seconds(40), "resourcequotas", "q", R"({"spec":{"hard":{"pods":"6"}}})"));
  story.changes.push_back(
      merge_patch_at(seconds(50), "replicasets", "web", R"({"spec":{"replicas":5}})"));
  expect_convergence(story);
}

TEST(PolicyConvergence, WhatIsWrittenByHandIsMirroredAndCollected) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), R"(
apiVersion: v1
kind: Service
metadata: {name: db}
spec: {ports: [{port: 5432}]}
---
apiVersion: v1
kind: Endpoints
metadata: {name: db}
subsets: [{addresses: [{ip: 10.1.1.1}], ports: [{port: 5432}]}]
)");
  story.changes.push_back(merge_patch_at(
      seconds(20), "endpoints", "db",
      R"({"subsets":[{"addresses":[{"ip":"10.1.1.2"},{"ip":"10.1.1.3"}],"ports":[{"port":5433}]}]})"));
  expect_convergence(story);
}

TEST(PolicyConvergence, APodThatWasToldOfItsEndAndStaysIsToldThatItStays) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), R"(
apiVersion: v1
kind: Pod
metadata: {name: web}
spec: {containers: [{name: web, image: "web:1"}]}
)");
  Change told = merge_patch_at(seconds(20), "pods", "web",
                               R"({"status":{"conditions":[{"type":"DisruptionTarget","status":"True","reason":"EvictionByEvictionAPI",
                                  "lastTransitionTime":"2026-01-01T00:00:20Z"}]}})");
  told.request.subresource = "status";
  told.request.patch_type = control::PatchType::kStrategicMerge;
  story.changes.push_back(told);
  story.quiet = minutes(3);
  expect_convergence(story);
}

TEST(PolicyConvergence, EveryPodHasWhatAMutatingPolicyAddsAndAPolicyItsTypeCheck) {
  ConvergenceCase story;
  story.changes = apply_at(seconds(0), R"(
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata: {name: sidecar}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE]}]}
  reinvocationPolicy: Never
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration: {expression: 'Object{spec: Object.spec{containers: [Object.spec.containers{name: "mesh", image: "mesh:1"}]}}'}
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata: {name: sidecar}
spec: {policyName: sidecar}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: typo}
spec:
  matchConstraints: {resourceRules: [{apiGroups: [apps], apiVersions: [v1], resources: [deployments], operations: [CREATE]}]}
  validations: [{expression: object.replicas > 1}]
)");
  const auto deployment = apply_at(seconds(5), R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
)");
  story.changes.insert(story.changes.end(), deployment.begin(), deployment.end());
  story.changes.push_back(merge_patch_at(seconds(30), "deployments", "web", R"({"spec":{"replicas":6}})"));
  story.changes.push_back(merge_patch_at(seconds(40), "validatingadmissionpolicies", "typo",
                                         R"({"spec":{"validations":[{"expression":"object.spec.replicas > 1"}]}})", ""));
  expect_convergence(story);
}

}  // namespace
}  // namespace minik::sim
