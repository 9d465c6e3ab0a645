// Controllers against the real API on a memory log, in virtual time: what only shows when several
// of them and the server's deletion rules meet.
#include <gtest/gtest.h>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/yaml.h"
#include "control/schema/kinds.h"
#include "control/schema/schema.h"
#include "sim/cluster.h"

namespace minik::control {
namespace {

class ClusterControllers : public ::testing::Test {
 protected:
  ClusterControllers() {
    sim::ClusterOptions options;
    options.seed = 5;
    sim::NodePool pool;
    pool.count = 2;
    options.pools = {pool};
    cluster = std::make_unique<sim::SimulatedCluster>(options, nullptr);
    cluster->start();
    run(seconds(5));
  }

  Result<ApiResponse> call(ApiRequest request) {
    std::optional<Result<ApiResponse>> answer;
    cluster->request(std::move(request),
                     [&](Result<ApiResponse> result) { answer = std::move(result); });
    cluster->executor().run_until(cluster->executor().now() + seconds(5),
                                  [&] { return answer.has_value(); });
    return answer ? *std::move(answer) : Error(ErrorCode::kTimeout, "no answer");
  }

  // Creates and returns the uid.
  std::string create(std::string_view yaml) {
    const auto documents = parse_yaml(yaml);
    if (!documents) return documents.error().message;
    const Value& object = (*documents)[0].value;
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind =
        Schema::builtin()
            .find_kind(object[keys::kApiVersion].as_string(), object[keys::kKind].as_string())
            ->id;
    request.namespace_ = object_namespace(object);
    request.body = object;
    const auto result = call(std::move(request));
    EXPECT_TRUE(result) << result.error().message;
    return result ? std::string(object_uid(result->object)) : "";
  }

  void remove(KindId kind, std::string namespace_, std::string name, PropagationPolicy policy) {
    ApiRequest request;
    request.verb = Verb::kDelete;
    request.kind = kind;
    request.namespace_ = std::move(namespace_);
    request.name = std::move(name);
    request.options.propagation = policy;
    const auto result = call(std::move(request));
    EXPECT_TRUE(result) << result.error().message;
  }

  static std::string config(std::string_view name, std::string_view owners,
                            std::string_view extra = "") {
    return cat("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ", name,
               "\n  namespace: default\n  ownerReferences: [", owners, "]\n", extra);
  }
  static std::string owner(std::string_view name, std::string_view uid, bool blocks = false) {
    return cat("{apiVersion: v1, kind: ConfigMap, name: ", name, ", uid: ", uid,
               blocks ? ", blockOwnerDeletion: true}" : "}");
  }
  std::string event_of(std::string_view reason, std::string_view namespace_) {
    const auto events = cluster->store().list(kinds::kEvents, std::string(namespace_));
    for (const auto& event : events->objects) {
      if (event[keys::kReason].as_string() == reason) return event[keys::kMessage].string();
    }
    return "no such event";
  }
  Value config_map(std::string name) {
    return cluster->store().find(kinds::kConfigmaps, "default", name);
  }
  void run(Duration duration) {
    cluster->executor().run_until(cluster->executor().now() + duration);
  }

  std::unique_ptr<sim::SimulatedCluster> cluster;
};

TEST_F(ClusterControllers, GarbageGoesWithItsLastOwner) {
  const auto uid = create(config("owner", ""));
  create(config("child", owner("owner", uid)));
  remove(kinds::kConfigmaps, "default", "owner", PropagationPolicy::kBackground);
  run(seconds(10));
  EXPECT_FALSE(config_map("child").has_value());
}

TEST_F(ClusterControllers, AnOwnerThatStaysKeepsTheObjectAndTheOtherReferenceGoes) {
  const auto first = create(config("first", "")), second = create(config("second", ""));
  create(config("child", cat(owner("first", first, true), ", ", owner("second", second))));
  remove(kinds::kConfigmaps, "default", "first", PropagationPolicy::kForeground);
  run(seconds(10));
  EXPECT_FALSE(config_map("first").has_value());
  const Value child = config_map("child");
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child[keys::kMetadata][keys::kOwnerReferences].items().size(), 1U);
}

TEST_F(ClusterControllers, ForegroundDeletionWaitsForItsBlockingDependents) {
  const auto uid = create(config("owner", ""));
  create(
      cat("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: child\n  namespace: default\n  "
          "finalizers: "
          "[example.com/hold]\n  ownerReferences: [",
          owner("owner", uid, true), "]\n"));
  remove(kinds::kConfigmaps, "default", "owner", PropagationPolicy::kForeground);
  run(seconds(10));
  EXPECT_TRUE(is_deleting(config_map("owner")));
  EXPECT_TRUE(is_deleting(config_map("child")));
}

TEST_F(ClusterControllers, OrphansStayWithoutTheReference) {
  const auto uid = create(config("owner", ""));
  create(config("child", owner("owner", uid)));
  remove(kinds::kConfigmaps, "default", "owner", PropagationPolicy::kOrphan);
  run(seconds(10));
  EXPECT_FALSE(config_map("owner").has_value());
  ASSERT_TRUE(config_map("child").has_value());
  EXPECT_TRUE(config_map("child")[keys::kMetadata][keys::kOwnerReferences].empty());
}

TEST_F(ClusterControllers, ForegroundDeletionTakesWhatDoesNotBlockItAsWell) {
  const auto uid = create(config("owner", ""));
  create(config("held", owner("owner", uid, true), "  finalizers: [example.com/hold]\n"));
  create(config("loose", owner("owner", uid)));
  remove(kinds::kConfigmaps, "default", "owner", PropagationPolicy::kForeground);
  run(seconds(10));
  EXPECT_TRUE(is_deleting(config_map("owner")));
  EXPECT_FALSE(config_map("loose").has_value());
}

TEST_F(ClusterControllers, AnOwnerOfManyGoesWithTheLastOfThem) {
  const auto uid = create(config("owner", ""));
  for (int i = 0; i < 200; ++i) create(config(cat("child-", i), owner("owner", uid, true), "  finalizers: [example.com/hold]\n"));
  remove(kinds::kConfigmaps, "default", "owner", PropagationPolicy::kForeground);
  run(seconds(10));
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(is_deleting(config_map(cat("child-", i)))) << i;
    EXPECT_TRUE(is_deleting(config_map("owner")));
    ApiRequest request;
    request.verb = Verb::kPatch;
    request.kind = kinds::kConfigmaps;
    request.namespace_ = "default";
    request.name = cat("child-", i);
    request.patch_type = PatchType::kMerge;
    request.body = Value::map({{keys::kMetadata, Value::map({{keys::kFinalizers, Value(nullptr)}})}});
    ASSERT_TRUE(call(std::move(request)));
  }
  run(seconds(1));
  EXPECT_FALSE(config_map("owner").has_value());
}

TEST_F(ClusterControllers, ForegroundDeletionGetsOutOfACircle) {
  const auto first = create(config("first", ""));
  const auto second = create(config("second", owner("first", first, true)));
  ApiRequest request;
  request.verb = Verb::kUpdate;
  request.kind = kinds::kConfigmaps;
  request.namespace_ = "default";
  request.name = "first";
  request.body = (*parse_yaml(config("first", owner("second", second, true))))[0].value;
  ASSERT_TRUE(call(std::move(request)));
  remove(kinds::kConfigmaps, "default", "first", PropagationPolicy::kForeground);
  run(seconds(10));
  EXPECT_FALSE(config_map("first").has_value());
  EXPECT_FALSE(config_map("second").has_value());
}

TEST_F(ClusterControllers, WhoNamesAnOwnerOfAnotherNamespaceGoesAndCondemnsNobodyElse) {
  create("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
  const auto uid = create(config("owner", ""));
  std::string stray = config("stray", owner("owner", uid));
  stray.replace(stray.find("default"), 7, "shop");
  create(stray);
  create(config("child", owner("owner", uid)));
  run(seconds(10));
  EXPECT_FALSE(cluster->store().find(kinds::kConfigmaps, "shop", "stray").has_value());
  EXPECT_TRUE(config_map("child").has_value());
  EXPECT_EQ(event_of("OwnerRefInvalidNamespace", "shop"),
            cat("ownerRef [v1/ConfigMap, namespace: shop, name: owner, uid: ", uid, "] does not exist in namespace \"shop\""));
}

TEST_F(ClusterControllers, AClusterWideObjectWithAnOwnerInANamespaceStaysAndIsToldOf) {
  const auto uid = create(config("owner", ""));
  create(cat("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: stray, ownerReferences: [", owner("owner", uid),
             "]}\n"));
  run(seconds(10));
  EXPECT_TRUE(cluster->store().find(kinds::kClusterroles, "", "stray").has_value());
  EXPECT_EQ(event_of("OwnerRefInvalidNamespace", "default"),
            cat("ownerRef [v1/ConfigMap, namespace: , name: owner, uid: ", uid, "] does not exist in namespace \"\""));
}

TEST_F(ClusterControllers, AClusterWideOwnerTakesWhatItOwnsInNamespaces) {
  const auto uid = create("apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: owner}\n");
  create(config("child", cat("{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, name: owner, uid: ", uid, "}")));
  run(seconds(10));
  EXPECT_TRUE(config_map("child").has_value());
  remove(kinds::kClusterroles, "", "owner", PropagationPolicy::kBackground);
  run(seconds(10));
  EXPECT_FALSE(config_map("child").has_value());
}

TEST_F(ClusterControllers, ANodesLeaseGoesWithIt) {
  run(seconds(30));
  const auto node = cluster->node_names()[1];
  const auto lease = [&] { return cluster->store().find(kinds::kLeases, "kube-node-lease", node); };
  const std::string before(object_uid(lease()));
  ASSERT_FALSE(before.empty());
  remove(kinds::kNodes, "", node, PropagationPolicy::kBackground);
  run(seconds(30));
  EXPECT_NE(object_uid(lease()), before) << "the node's agent may make a new one";
}

TEST_F(ClusterControllers, ANamespaceSaysWhatItWaitsFor) {
  create("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
  run(seconds(5));
  EXPECT_TRUE(cluster->store().find(kinds::kServiceaccounts, "shop", "default").has_value());
  create(
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: held, namespace: shop, finalizers: "
      "[example.com/hold]}\n");
  remove(kinds::kNamespaces, "", "shop", PropagationPolicy::kUnset);
  run(seconds(10));
  const Value home = cluster->store().find(kinds::kNamespaces, "", "shop");
  std::string messages;
  for (const auto& c : home[keys::kStatus][keys::kConditions].items()) {
    if (c[keys::kStatus].as_string() == "True")
      messages += cat(c[keys::kMessage].as_string(), "\n");
  }
  EXPECT_EQ(messages,
            "Some resources are remaining: configmaps. has 1 resource instances\n"
            "Some content in the namespace has finalizers remaining: example.com/hold in 1 "
            "resource instances\n");
}

TEST_F(ClusterControllers, ANamespaceWithoutFinalizersGoesWithAllItHas) {
  create("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n");
  create("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: shop}\n");
  remove(kinds::kNamespaces, "", "shop", PropagationPolicy::kUnset);
  run(seconds(20));
  EXPECT_FALSE(cluster->store().find(kinds::kNamespaces, "", "shop").has_value());
  const auto list = cluster->store().list(kinds::kConfigmaps, "shop");
  std::string left;
  for (const auto& object : list->objects) left += cat(object_name(object), " ");
  EXPECT_EQ(left, "");
}

TEST_F(ClusterControllers, ACordonedNodeIsTaintedUntilItIsFree) {
  const auto cordon = [&](Value value) {
    ApiRequest request;
    request.verb = Verb::kPatch;
    request.kind = kinds::kNodes;
    request.name = cluster->node_names()[0];
    request.patch_type = PatchType::kMerge;
    request.body =
        Value::map({{keys::kSpec, Value::map({{keys::kUnschedulable, std::move(value)}})}});
    EXPECT_TRUE(call(std::move(request)));
    run(seconds(10));
    std::string taints;
    const Value node = cluster->store().find(kinds::kNodes, "", cluster->node_names()[0]);
    for (const auto& taint : node[keys::kSpec][keys::kTaints].items()) {
      taints += cat(taint[keys::kKey].as_string(), ":", taint[keys::kEffect].as_string());
    }
    return taints;
  };
  EXPECT_EQ(cordon(true), "node.kubernetes.io/unschedulable:NoSchedule");
  EXPECT_EQ(cordon(nullptr), "");
}

TEST_F(ClusterControllers, EvictionsSpendABudgetAndReplacementsRefillIt) {
  create(R"(
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web}]}
)");
  create(R"(
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: keep, namespace: default}
spec: {minAvailable: 2, selector: {matchLabels: {app: web}}}
)");
  run(seconds(30));
  const auto allowed = [&] {
    return cluster->store()
        .find(kinds::kPoddisruptionbudgets, "default",
              "keep")[keys::kStatus][keys::kDisruptionsAllowed]
        .as_int();
  };
  const auto evict = [&](const Value& pod) {
    ApiRequest request;
    request.verb = Verb::kCreate;
    request.kind = kinds::kPods;
    request.subresource = "eviction";
    request.namespace_ = "default";
    request.name = object_name(pod);
    request.body = Value::map({{keys::kApiVersion, "policy/v1"},
                               {keys::kKind, "Eviction"},
                               {keys::kMetadata, Value::map({{keys::kName, object_name(pod)}})}});
    return call(std::move(request));
  };
  ASSERT_EQ(allowed(), 1);
  const auto pods = cluster->store().list(kinds::kPods, "default")->objects;
  ASSERT_EQ(pods.size(), 3U);
  const auto first = evict(pods[0]);
  EXPECT_TRUE(first) << first.error().message;
  const auto second = evict(pods[1]);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kTooManyRequests);
  ASSERT_EQ(second.error().causes.size(), 1U);
  EXPECT_EQ(second.error().causes[0].reason, "DisruptionBudget");
  run(seconds(60));
  EXPECT_EQ(allowed(), 1);
  const auto third = evict(pods[1]);
  EXPECT_TRUE(third) << third.error().message;
}

}  // namespace
}  // namespace minik::control
