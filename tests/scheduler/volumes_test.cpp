// Pods with claims: where their volumes let them go, what waits for whom, and what a user reads
// meanwhile.
#include "control/controllers/controller_manager.h"
#include "tests/scheduler/scheduler_world.h"

namespace minik::control {
namespace {

class Volumes : public SchedulerWorld {
 protected:
  // The binder and the provisioner beside the scheduler.
  void start_controllers() {
    controllers = std::make_unique<ControllerManager>(Schema::builtin(), executor, client, metrics,
                                                      Rng(9), ControllerManagerOptions{});
    controllers->start();
  }

  void add_ready_node(const std::string& name, const std::string& labels = "") {
    add(cat("{apiVersion: v1, kind: Node, metadata: {name: ", name,
            ", labels: {kubernetes.io/hostname: ", name, labels.empty() ? "" : ", ", labels,
            "}}, status: {allocatable: {cpu: 4, memory: 8Gi, pods: 110}, conditions: [{type: "
            "Ready, status: \"True\"}]}}"));
  }

  void add_class(const std::string& name, const std::string& provisioner, const std::string& mode) {
    add(cat("{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: ", name,
            "}, provisioner: ", provisioner, ", volumeBindingMode: ", mode, "}"));
  }

  void add_claim(const std::string& name, const std::string& class_name,
                 const std::string& mode = "ReadWriteOnce") {
    add(cat("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: ", name,
            ", namespace: default}, spec: {accessModes: [", mode,
            "], storageClassName: ", class_name, ", resources: {requests: {storage: 1Gi}}}}"));
  }

  void add_volume(const std::string& name, const std::string& class_name, const std::string& node) {
    add(cat(
        "{apiVersion: v1, kind: PersistentVolume, metadata: {name: ", name,
        "}, spec: {capacity: {storage: 2Gi}, accessModes: [ReadWriteOnce], storageClassName: ",
        class_name,
        ", local: {path: /data}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: "
        "[{key: kubernetes.io/hostname, operator: In, values: [",
        node, "]}]}]}}}}"));
  }

  void add_user(const std::string& name, const std::string& claim) {
    add_pod(name, "",
            cat("volumes: [{name: data, persistentVolumeClaim: {claimName: ", claim, "}}]"));
  }

  Value claim(const std::string& name) const {
    return store.find(kinds::kPersistentvolumeclaims, "default", name);
  }
  std::string bound_to(const std::string& name) const {
    return claim(name)[keys::kSpec][keys::kVolumeName].string();
  }

  std::unique_ptr<ControllerManager> controllers;
};

TEST_F(Volumes, AMissingClaimIsNamedAndItsArrivalWakesThePod) {
  start_controllers();
  add_ready_node("a");
  add_user("web", "data");
  run();
  EXPECT_EQ(why_pending("web"),
            "0/1 nodes are available: persistentvolumeclaim \"data\" not found. not found")
      << "as Kubernetes says it";
  add_claim("data", "standard");
  run(seconds(3));
  EXPECT_EQ(node_of("web"), "a");
  EXPECT_EQ(claim("data")[keys::kStatus][keys::kPhase].as_string(), "Bound");
}

TEST_F(Volumes, APodThatAsksForDevicesWaits) {
  add_ready_node("a");
  add_pod("web", "resources: {claims: [{name: gpu}]}", "resourceClaims: [{name: gpu, resourceClaimName: nosuch}]");
  run();
  EXPECT_EQ(node_of("web"), "");
  EXPECT_TRUE(why_pending("web").starts_with("0/1 nodes are available: pod asks for resource claims, which nothing here allocates."))
      << why_pending("web");
}

TEST_F(Volumes, AreNoMoreOnANodeThanItsDriverAttaches) {
  add_ready_node("a");
  add("{apiVersion: storage.k8s.io/v1, kind: CSINode, metadata: {name: a}, spec: {drivers: [{name: "
      "disk.example.com, nodeID: a, topologyKeys: [], allocatable: {count: 1}}]}}");
  for (const std::string name : {"one", "two"}) {
    add(cat("{apiVersion: v1, kind: PersistentVolume, metadata: {name: ", name,
            "}, spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], csi: {driver: "
            "disk.example.com, volumeHandle: ", name, "}}}"));
    add(cat("{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: ", name,
            ", namespace: default, annotations: {pv.kubernetes.io/bind-completed: \"yes\"}}, spec: "
            "{accessModes: [ReadWriteOnce], storageClassName: \"\", volumeName: ", name,
            ", resources: {requests: {storage: 1Gi}}}}"));
  }
  add_user("first", "one");
  run();
  add_user("beside", "one");
  add_user("second", "two");
  run();
  EXPECT_EQ(node_of("first"), "a");
  EXPECT_EQ(node_of("beside"), "a") << "the volume is there already";
  EXPECT_TRUE(why_pending("second").starts_with("0/1 nodes are available: 1 node(s) exceed max volume count."))
      << why_pending("second");
  remove(kinds::kPods, "default", "first");
  run();
  EXPECT_EQ(node_of("second"), "");
  remove(kinds::kPods, "default", "beside");
  run();
  EXPECT_EQ(node_of("second"), "a");
}

TEST_F(Volumes, AnUnboundImmediateClaimHoldsThePodUntilItIsBound) {
  start_controllers();
  add_ready_node("a");
  add_class("manual", "kubernetes.io/no-provisioner", "Immediate");
  add_claim("data", "manual");
  add_user("web", "data");
  run();
  EXPECT_TRUE(why_pending("web").starts_with(
      "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."))
      << why_pending("web");
  add_volume("by-hand", "manual", "a");
  run(seconds(3));
  EXPECT_EQ(node_of("web"), "a");
  EXPECT_EQ(bound_to("data"), "by-hand");
}

TEST_F(Volumes, APodFollowsItsVolumeToTheVolumesNode) {
  start_controllers();
  add_ready_node("a");
  add_ready_node("b");
  add_ready_node("c");
  add_class("manual", "kubernetes.io/no-provisioner", "Immediate");
  add_volume("on-b", "manual", "b");
  add_claim("data", "manual");
  run();
  add_user("web", "data");
  run();
  EXPECT_EQ(node_of("web"), "b");
  ASSERT_TRUE(patch(kinds::kNodes, "", "b", R"({"spec":{"unschedulable":true}})"));
  add_user("next", "data");
  run();
  EXPECT_TRUE(
      why_pending("next").starts_with("0/3 nodes are available: 1 node(s) were unschedulable, 2 "
                                      "node(s) didn't match PersistentVolume's node affinity."))
      << why_pending("next");
}

TEST_F(Volumes, AWaitingClaimIsBoundToAVolumeOfTheNodeThatThePodGets) {
  start_controllers();
  add_ready_node("a");
  add_ready_node("b");
  add_class("local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer");
  add_claim("data", "local");
  add_user("web", "data");
  run();
  EXPECT_TRUE(why_pending("web").starts_with(
      "0/2 nodes are available: 2 node(s) didn't find available persistent volumes to bind."))
      << why_pending("web");
  add_volume("on-b", "local", "b");
  run(seconds(3));
  EXPECT_EQ(node_of("web"), "b");
  EXPECT_EQ(bound_to("data"), "on-b");
}

TEST_F(Volumes, TwoClaimsOfAPodNeedTwoVolumesOfItsNode) {
  start_controllers();
  add_ready_node("a");
  add_class("local", "kubernetes.io/no-provisioner", "WaitForFirstConsumer");
  add_volume("on-a", "local", "a");
  add_claim("data", "local");
  add_claim("log", "local");
  add_pod("db", "",
          "volumes: [{name: data, persistentVolumeClaim: {claimName: data}}, {name: log, persistentVolumeClaim: "
          "{claimName: log}}]");
  run(seconds(3));
  EXPECT_TRUE(why_pending("db").starts_with(
      "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."))
      << why_pending("db");
  for (const std::string name : {"data", "log"}) {
    EXPECT_EQ(bound_to(name), "") << "of a node that cannot have the pod";
    EXPECT_TRUE(claim(name)[keys::kMetadata][keys::kAnnotations].get("volume.kubernetes.io/selected-node").is_absent())
        << "nobody makes volumes of this class";
  }
  add_ready_node("b");
  add_volume("on-b", "local", "b");
  run();
  EXPECT_EQ(node_of("db"), "");
  add_volume("on-b-too", "local", "b");
  run(seconds(15));
  EXPECT_EQ(node_of("db"), "b");
  EXPECT_TRUE(bound_to("data").starts_with("on-b")) << bound_to("data");
  EXPECT_TRUE(bound_to("log").starts_with("on-b")) << bound_to("log");
}

TEST_F(Volumes, AProvisionedVolumeIsMadeWhereThePodIsGoing) {
  start_controllers();
  add_ready_node("a");
  add_ready_node("b", "disk: ssd");
  add_claim("data", "standard");
  run();
  EXPECT_EQ(bound_to("data"), "") << "nobody uses it yet";
  add_pod("web", "",
          "nodeSelector: {disk: ssd}, volumes: [{name: data, persistentVolumeClaim: {claimName: "
          "data}}]");
  run(seconds(3));
  EXPECT_EQ(node_of("web"), "b");
  EXPECT_EQ(claim("data")[keys::kMetadata][keys::kAnnotations]
                .get("volume.kubernetes.io/selected-node")
                .as_string(),
            "b");
  add_user("second", "data");
  run();
  EXPECT_EQ(node_of("second"), "b") << "the data is there";
}

TEST_F(Volumes, AClaimForOnePodServesOneAfterTheOther) {
  start_controllers();
  add_ready_node("a");
  add_claim("data", "standard", "ReadWriteOncePod");
  add_user("first", "data");
  add_user("second", "data");
  run(seconds(3));
  EXPECT_EQ(node_of("first"), "a");
  EXPECT_EQ(node_of("second"), "");
  EXPECT_TRUE(why_pending("second").starts_with(
      "0/1 nodes are available: 1 node has pod using PersistentVolumeClaim with the same name and "
      "ReadWriteOncePod access mode."))
      << why_pending("second");
  ASSERT_TRUE(
      patch(kinds::kPods, "default", "first", R"({"status":{"phase":"Succeeded"}})", "status"));
  run(seconds(3));
  EXPECT_EQ(node_of("second"), "a");
}

TEST_F(Volumes, AnEphemeralVolumeGetsAClaimOfItsOwn) {
  start_controllers();
  add_ready_node("a");
  add_pod("web", "",
          "volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: {spec: {accessModes: "
          "[ReadWriteOnce], "
          "resources: {requests: {storage: 1Gi}}}}}}]");
  run(seconds(4));
  EXPECT_EQ(node_of("web"), "a");
  EXPECT_EQ(claim("web-scratch")[keys::kStatus][keys::kPhase].as_string(), "Bound");
  add_claim("next-scratch", "standard");
  add_pod("next", "",
          "volumes: [{name: scratch, ephemeral: {volumeClaimTemplate: {spec: {accessModes: "
          "[ReadWriteOnce], "
          "resources: {requests: {storage: 1Gi}}}}}}]");
  run();
  EXPECT_TRUE(why_pending("next").starts_with(
      "0/1 nodes are available: PVC default/next-scratch was not created for "
      "pod default/next (pod is not owner)."))
      << why_pending("next");
}

TEST_F(Volumes, ASchedulerThatStartsAgainGoesOnWithAHalfBoundClaim) {
  add_ready_node("a");
  add_ready_node("b");
  add_claim("data", "standard");
  add_user("web", "data");
  run();
  const std::string selected = claim("data")[keys::kMetadata][keys::kAnnotations]
                                   .get("volume.kubernetes.io/selected-node")
                                   .string();
  EXPECT_NE(selected, "");
  EXPECT_EQ(node_of("web"), "") << "no provisioner runs";
  restart_scheduler();
  run();
  start_controllers();
  run(seconds(5));
  EXPECT_EQ(node_of("web"), selected);
}

}  // namespace
}  // namespace minik::control
