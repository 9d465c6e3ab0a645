// Convergence of the controllers that look after nodes, identities, scale and what is left over; see converge.h.
#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "tests/controllers/converge.h"

namespace minik::sim {
namespace {

using namespace control;

void add(ConvergenceCase& story, std::vector<Change> changes) {
  story.changes.insert(story.changes.end(), changes.begin(), changes.end());
}

// Requests whose refusal is part of the story: an eviction that a budget does not grant.
std::function<void(SimulatedCluster&)> perhaps(ApiRequest request) {
  return [request](SimulatedCluster& cluster) { cluster.request(request, [](const auto&) {}); };
}

// How many pods of each kind of end there are, and what the nodes say.
std::string pods_and_nodes(const Store& store) {
  std::vector<std::string> lines;
  store.for_each(kinds::kPods, [&](const Value& pod) {
    lines.push_back(cat("pod ", is_pod_ready(pod) ? "ready" : "unready", is_deleting(pod) ? " leaving" : "",
                        " of ", controller_of(pod)[keys::kName].as_string().substr(0, 3), "\n"));
  });
  store.for_each(kinds::kNodes, [&](const Value& node) {
    std::string taints;
    for (const auto& taint : node[keys::kSpec][keys::kTaints].items())
      taints += cat(" ", taint[keys::kKey].as_string(), ":", taint[keys::kEffect].as_string());
    lines.push_back(cat("node ", object_name(node), " ", is_condition_true(node, "Ready") ? "ready" : "silent",
                        taints, "\n"));
  });
  std::ranges::sort(lines);
  return join(lines, "");
}

constexpr std::string_view kImpatient = R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 6
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      tolerations:
      - {key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      - {key: node.kubernetes.io/not-ready, operator: Exists, effect: NoExecute, tolerationSeconds: 5}
      containers: [{name: web, image: "web:1"}]
)";

TEST(ClusterConvergence, ThePodsOfADeadNodeComeBackElsewhereAndItsTaintsStay) {
  ConvergenceCase story;
  add(story, apply_at(seconds(0), kImpatient));
  // Late enough that it has its pods, whatever happens: those that it has when it dies stay.
  story.events.emplace_back(seconds(300), [](SimulatedCluster& cluster) { cluster.crash_node("node-1"); });
  story.trouble = seconds(450);
  story.state = pods_and_nodes;
  expect_convergence(story);
}

TEST(ClusterConvergence, ANodeThatIsBackLosesItsTaints) {
  ConvergenceCase story;
  add(story, apply_at(seconds(0), kImpatient));
  story.events.emplace_back(seconds(20), [](SimulatedCluster& cluster) { cluster.crash_node("node-1"); });
  story.events.emplace_back(seconds(140), [](SimulatedCluster& cluster) { cluster.start_node("node-1"); });
  story.trouble = seconds(180);
  story.state = pods_and_nodes;
  expect_convergence(story);
}

TEST(ClusterConvergence, ThePodsOfANodeThatWasRemovedAreCollected) {
  ConvergenceCase story;
  add(story, apply_at(seconds(0), kImpatient));
  story.events.emplace_back(seconds(20), [](SimulatedCluster& cluster) { cluster.crash_node("node-1"); });
  story.changes.push_back(delete_at(seconds(21), "nodes", "node-1", ""));
  story.trouble = seconds(150);
  story.state = pods_and_nodes;
  expect_convergence(story);
}

TEST(ClusterConvergence, EveryNamespaceKeepsItsAccountAndItsRootCertificate) {
  ConvergenceCase story;
  add(story, apply_at(seconds(0), "apiVersion: v1\nkind: Namespace\nmetadata: {name: lab}\n"));
  // Late enough that they are there, whatever happens: who follows a crashed process waits for its lease.
  for (const int64_t at : {80, 130}) {
    story.changes.push_back(delete_at(seconds(at), "serviceaccounts", "default", "lab"));
    story.changes.push_back(delete_at(seconds(at + 5), "configmaps", "kube-root-ca.crt", "lab"));
  }
  story.trouble = seconds(40);
  story.quiet = minutes(2);  // to the other side of the last deletion
  const auto with_trouble_again = [](SimulatedCluster& cluster) {
    ComponentFaults faults;
    faults.link.lose_request = faults.link.lose_answer = 50'000;
    faults.crash_at_write = 200'000;
    cluster.set_controller_faults(faults);
  };
  story.events.emplace_back(seconds(82), with_trouble_again);
  story.events.emplace_back(seconds(86), [](SimulatedCluster& cluster) { cluster.set_controller_faults({}); });
  expect_convergence(story);
}

TEST(ClusterConvergence, AnAggregatedRoleHasTheRulesOfItsParts) {
  ConvergenceCase story;
  add(story, apply_at(seconds(0), R"(
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: whole}
aggregationRule: {clusterRoleSelectors: [{matchLabels: {part-of: whole}}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: pods, labels: {part-of: whole}}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: services, labels: {part-of: whole}}
rules: [{apiGroups: [""], resources: [services], verbs: [get]}]
)"));
  story.changes.push_back(merge_patch_at(seconds(20), "clusterroles", "pods",
                                         R"({"rules":[{"apiGroups":[""],"resources":["pods"],"verbs":["list"]}]})", ""));
  story.changes.push_back(delete_at(seconds(40), "clusterroles", "services", ""));
  expect_convergence(story);
}

TEST(ClusterConvergence, ABudgetIsWholeAgainAfterEvictions) {
  ConvergenceCase story;
  add(story, apply_at(seconds(0), R"(
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  replicas: 3
  podManagementPolicy: Parallel
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: "db:1"}]}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: db}
spec: {maxUnavailable: 1, selector: {matchLabels: {app: db}}}
)"));
  for (const int64_t at : {20, 30, 31, 45}) {
    ApiRequest eviction;
    eviction.verb = Verb::kCreate;
    eviction.kind = kinds::kPods;
    eviction.namespace_ = "default";
    eviction.name = cat("db-", at % 3);
    eviction.subresource = "eviction";
    eviction.body = Value::map({{keys::kMetadata, Value::map({{keys::kName, eviction.name}, {keys::kNamespace, "default"}})}});
    story.events.emplace_back(seconds(at), perhaps(eviction));
  }
  expect_convergence(story);
}

TEST(ClusterConvergence, AnAutoscalerEndsWhereTheLoadIsShared) {
  ConvergenceCase story;
  add(story, apply_at(seconds(0), R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1", resources: {requests: {cpu: 500m}}}]}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
  minReplicas: 1
  maxReplicas: 10
  metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]
)"));
  // Over pods that shall use a quarter of a CPU each. Five would become six, and seven too; 1.5 CPUs would leave seven.
  story.events.emplace_back(seconds(60), [](SimulatedCluster& cluster) { cluster.set_load("*", 1400); });
  story.trouble = seconds(200);
  story.patience = minutes(25);
  story.quiet = minutes(6);
  story.state = [](const Store& store) {
    const Value& scaler = store.find(kinds::kHorizontalpodautoscalers, "default", "web");
    return cat(store.find(kinds::kDeployments, "default", "web")[keys::kSpec][keys::kReplicas].as_int(), " of ",
               scaler[keys::kStatus][keys::kDesiredReplicas].as_int(), " able ", condition(scaler, "AbleToScale")[keys::kStatus].as_string(),
               " active ", condition(scaler, "ScalingActive")[keys::kStatus].as_string(), " pods ", store.count(kinds::kPods));
  };
  expect_convergence(story);
}

Change remove_at(Duration at, std::string_view kind, std::string name, PropagationPolicy propagation) {
  Change change = delete_at(at, kind, std::move(name));
  change.request.options.propagation = propagation;
  return change;
}

TEST(ClusterConvergence, OrphansStayAndWhatIsDeletedInTheForegroundGoesLast) {
  ConvergenceCase story;
  constexpr std::string_view kSets = R"(
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: left}
spec:
  replicas: 2
  selector: {matchLabels: {app: left}}
  template: {metadata: {labels: {app: left}}, spec: {containers: [{name: c, image: "web:1"}]}}
---
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: gone}
spec:
  replicas: 3
  selector: {matchLabels: {app: gone}}
  template: {metadata: {labels: {app: gone}}, spec: {containers: [{name: c, image: "web:1"}]}}
)";
  add(story, apply_at(seconds(0), kSets));
  // Late enough that the pods are there, whatever happens: an orphan that was never born does not stay.
  story.changes.push_back(remove_at(seconds(150), "replicasets", "left", PropagationPolicy::kOrphan));
  story.changes.push_back(remove_at(seconds(151), "replicasets", "gone", PropagationPolicy::kForeground));
  story.trouble = seconds(200);
  expect_convergence(story);
}

TEST(ClusterConvergence, WhatIsOwnedGoesWithItsLastOwnerWhereverThatIs) {
  // Owners are known by their uids, which chance draws: who watches the first of them appear names it to the others.
  ConvergenceCase story;
  add(story, apply_at(seconds(0), R"(
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: wide}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: first}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: second}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: of-both}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: in-a-circle}
)"));
  const auto own = [](SimulatedCluster& cluster, KindId owner_kind, std::string_view api_version, std::string_view owner_kind_name,
                      std::string owner, std::string owned, bool blocks) {
    const std::string namespace_ = owner_kind == kinds::kClusterroles ? "" : "default";
    const Value reference = Value::map({{keys::kApiVersion, api_version}, {keys::kKind, owner_kind_name}, {keys::kName, owner},
                                        {keys::kUid, object_uid(cluster.store().find(owner_kind, namespace_, owner))},
                                        {keys::kBlockOwnerDeletion, blocks}});
    ApiRequest request;
    request.verb = Verb::kPatch;
    request.kind = kinds::kConfigmaps;
    request.namespace_ = "default";
    request.name = std::move(owned);
    request.patch_type = PatchType::kStrategicMerge;
    request.body = Value::map({{keys::kMetadata, Value::map({{keys::kOwnerReferences, Value::array({reference})}})}});
    cluster.request(std::move(request), [](const Result<ApiResponse>&) {});
  };
  story.events.emplace_back(seconds(20), [own](SimulatedCluster& cluster) {
    own(cluster, kinds::kClusterroles, "rbac.authorization.k8s.io/v1", "ClusterRole", "wide", "of-both", true);
    own(cluster, kinds::kConfigmaps, "v1", "ConfigMap", "second", "of-both", true);
    own(cluster, kinds::kConfigmaps, "v1", "ConfigMap", "first", "in-a-circle", true);
    own(cluster, kinds::kConfigmaps, "v1", "ConfigMap", "in-a-circle", "first", true);
  });
  story.changes.push_back(remove_at(seconds(60), "configmaps", "first", PropagationPolicy::kForeground));
  story.changes.push_back(remove_at(seconds(61), "configmaps", "second", PropagationPolicy::kForeground));
  story.state = [](const Store& store) {
    std::string left;
    for (const auto* name : {"first", "second", "of-both", "in-a-circle"}) {
      const Value& object = store.find(kinds::kConfigmaps, "default", name);
      if (object.has_value()) left += cat(name, " of ", object[keys::kMetadata][keys::kOwnerReferences].size(), ", ");
    }
    return left;
  };
  expect_convergence(story);
}

TEST(ClusterConvergence, ASecretOfAnAccountHasATokenUntilTheAccountGoes) {
  ConvergenceCase story;
  const auto secret = [](const std::string& name, const std::string& account) {
    return cat("apiVersion: v1\nkind: Secret\ntype: kubernetes.io/service-account-token\nmetadata: {name: ", name,
               ", annotations: {kubernetes.io/service-account.name: ", account, "}}\n");
  };
  for (const auto* name : {"stays", "goes"})
    add(story, apply_at(seconds(0), cat("apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: ", name, "}\n")));
  add(story, apply_at(seconds(10), secret("of-stays", "stays")));
  add(story, apply_at(seconds(10), secret("of-goes", "goes")));
  add(story, apply_at(seconds(10), secret("of-nobody", "nobody")));
  story.changes.push_back(remove_at(seconds(60), "serviceaccounts", "goes", PropagationPolicy::kBackground));
  std::string last;
  story.state = [&last](const Store& store) {
    std::string found;
    for (const auto* name : {"of-stays", "of-goes", "of-nobody"}) {
      const Value& object = store.find(kinds::kSecrets, "default", name);
      if (object.has_value()) found += cat(name, " ", from_base64(object[keys::kData].get("token").as_string()).value_or(""), ", ");
    }
    return last = found;
  };
  expect_convergence(story);
  EXPECT_EQ(last, "of-stays simulated-token-of-default-stays-in-of-stays, ");
}

TEST(ClusterConvergence, AnApprovedCertificateRequestIsSignedOnce) {
  ConvergenceCase story;
  add(story, apply_at(seconds(0), R"(
apiVersion: certificates.k8s.io/v1
kind: CertificateSigningRequest
metadata: {name: jane}
spec:
  request: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlIWk1JR0FBZ0VBTUI0eERUQUxCZ05WQkFvTUJIUmxZVzB4RFRBTEJnTlZCQU1NQkdwaGJtVXdXVEFUQmdjcQpoa2pPUFFJQkJnZ3Foa2pPUFFNQkJ3TkNBQVEzcVJjLzQ0ODdzY3RCb1FDRTFQQXlkSkJOOExISExaQnNzeUl2Cjljb01DQ3BxNHF3dUFjSUVZcTR6SWMyMHVtM0JOT1lJYUxadTVwNFQxcG1GMlV3MG9BQXdDZ1lJS29aSXpqMEUKQXdJRFNBQXdSUUloQUloRXo5cHdMUG5jUjdneGhEby9ibTlVNzBHLzRQMS94cW9wS3QzVDM4WW9BaUJ5RG9SSgpNSE9sZkFVS1FueEJYUGJBMksxMi9nQ01Ddm4vZ3VKbjA5MXJhUT09Ci0tLS0tRU5EIENFUlRJRklDQVRFIFJFUVVFU1QtLS0tLQo=
  signerName: kubernetes.io/kube-apiserver-client
  usages: [client auth]
)"));
  auto approval = merge_patch_at(seconds(10), "certificatesigningrequests", "jane",
                                 R"({"status":{"conditions":[{"type":"Approved","status":"True","reason":"Yes"}]}})", "");
  approval.request.subresource = "approval";
  story.changes.push_back(approval);
  expect_convergence(story);
}

}  // namespace
}  // namespace minik::sim
