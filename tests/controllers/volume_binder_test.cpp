#include "control/controllers/volume_binder.h"

#include "control/controllers/ephemeral_volume.h"
#include "control/controllers/local_path.h"
#include "control/controllers/volume_protection.h"
#include "tests/controllers/decision_world.h"

namespace minik::control {
namespace {

constexpr std::string_view kClaim = R"(
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default, uid: claim-1, resourceVersion: "7"}
spec:
  accessModes: [ReadWriteOnce]
  storageClassName: standard
  volumeMode: Filesystem
  resources: {requests: {storage: 2Gi}}
status: {phase: Pending}
)";

std::string volume(std::string_view name, std::string_view size, std::string_view more = "") {
  return cat("apiVersion: v1\nkind: PersistentVolume\nmetadata: {name: ", name,
             ", resourceVersion: \"5\"}\nspec:\n  accessModes: [ReadWriteOnce]\n"
             "  storageClassName: standard\n  volumeMode: Filesystem\n"
             "  persistentVolumeReclaimPolicy: Retain\n  hostPath: {path: /data}\n"
             "  capacity: {storage: ",
             size, "}\n", more, "status: {phase: Available}\n");
}

std::string storage_class(std::string_view provisioner, std::string_view mode,
                          std::string_view annotations = "{}") {
  return cat(
      "apiVersion: storage.k8s.io/v1\nkind: StorageClass\nmetadata: {name: standard, annotations: ",
      annotations, "}\nprovisioner: ", provisioner,
      "\nreclaimPolicy: Delete\nvolumeBindingMode: ", mode, "\n");
}

constexpr std::string_view kOurs = "rancher.io/local-path";

std::string reasons(const Plan& plan) {
  std::string text;
  for (const auto& note : plan.events) text += cat(note.reason, ": ", note.message, "\n");
  return text;
}

TEST(ClaimBinder, TakesTheSmallestVolumeThatFits) {
  DecisionWorld world(claim_binder());
  world.add(kClaim);
  world.add(volume("small", "1Gi"));
  world.add(volume("large", "10Gi"));
  world.add(volume("right", "3Gi"));
  const Plan plan = world.decide("default", "data");
  EXPECT_EQ(text_of(plan), "update persistentvolumes right\nupdate persistentvolumeclaims data\n");
  const Value& claim = plan.writes[1].request.body;
  EXPECT_EQ(claim[keys::kSpec][keys::kVolumeName].as_string(), "right");
  EXPECT_EQ(
      claim[keys::kMetadata][keys::kAnnotations].get("pv.kubernetes.io/bind-completed").as_string(),
      "yes");
  EXPECT_EQ(plan.writes[0].request.body[keys::kSpec][keys::kClaimRef][keys::kUid].as_string(),
            "claim-1");
}

TEST(ClaimBinder, PrefersTheVolumeThatIsReservedForTheClaim) {
  DecisionWorld world(claim_binder());
  world.add(kClaim);
  world.add(volume("right", "2Gi"));
  world.add(volume("reserved", "10Gi", "  claimRef: {name: data, namespace: default}\n"));
  const Plan plan = world.decide("default", "data");
  EXPECT_EQ(text_of(plan),
            "update persistentvolumes reserved\nupdate persistentvolumeclaims data\n");
  EXPECT_FALSE(plan.writes[0].request.body[keys::kMetadata][keys::kAnnotations].has_value())
      << "an administrator's reservation is not the binder's to undo";
}

TEST(ClaimBinder, CompletesABondThatACrashLeftHalfWritten) {
  DecisionWorld world(claim_binder());
  world.add(kClaim);
  world.add(volume("half", "2Gi", "  claimRef: {name: data, namespace: default, uid: claim-1}\n"));
  EXPECT_EQ(text_of(world.decide("default", "data")), "update persistentvolumeclaims data\n");
}

TEST(ClaimBinder, LeavesAVolumeOfAnotherClaimAlone) {
  DecisionWorld world(claim_binder());
  world.add(kClaim);
  world.add(volume("other", "2Gi", "  claimRef: {name: data, namespace: default, uid: claim-0}\n"));
  EXPECT_EQ(text_of(world.decide("default", "data")), "");
}

TEST(ClaimBinder, SaysThatItWaitsForTheFirstConsumer) {
  DecisionWorld world(claim_binder());
  world.add(kClaim);
  world.add(storage_class(kOurs, "WaitForFirstConsumer"));
  world.add(volume("right", "2Gi"));
  const Plan plan = world.decide("default", "data");
  EXPECT_EQ(text_of(plan), "");
  EXPECT_EQ(reasons(plan),
            "WaitForFirstConsumer: waiting for first consumer to be created before binding\n");
}

TEST(ClaimBinder, AsksTheProvisionerOfTheClass) {
  DecisionWorld world(claim_binder());
  world.add(kClaim);
  world.add(storage_class(kOurs, "Immediate"));
  const Plan plan = world.decide("default", "data");
  ASSERT_EQ(text_of(plan), "update persistentvolumeclaims data\n");
  EXPECT_EQ(plan.writes[0]
                .request.body[keys::kMetadata][keys::kAnnotations]
                .get("volume.kubernetes.io/storage-provisioner")
                .as_string(),
            kOurs);
}

TEST(ClaimBinder, SaysThatTheClassIsMissing) {
  DecisionWorld world(claim_binder());
  world.add(kClaim);
  EXPECT_EQ(reasons(world.decide("default", "data")),
            "ProvisioningFailed: storageclass.storage.k8s.io \"standard\" not found\n");
}

TEST(ClaimBinder, GivesTheDefaultClassToAClaimThatWasThereBeforeIt) {
  DecisionWorld world(claim_binder());
  world.add(R"(
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data, namespace: default, uid: claim-1}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
)");
  world.add(
      storage_class(kOurs, "Immediate", "{storageclass.kubernetes.io/is-default-class: \"true\"}"));
  const Plan plan = world.decide("default", "data");
  ASSERT_EQ(text_of(plan), "update persistentvolumeclaims data\n");
  EXPECT_EQ(plan.writes[0].request.body[keys::kSpec][keys::kStorageClassName].as_string(),
            "standard");
}

TEST(ClaimBinder, CallsAClaimLostWhenItsVolumeIsGone) {
  DecisionWorld world(claim_binder());
  world.add(R"(
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  namespace: default
  uid: claim-1
  annotations: {pv.kubernetes.io/bind-completed: "yes"}
spec: {accessModes: [ReadWriteOnce], volumeName: gone}
status: {phase: Bound}
)");
  const Plan plan = world.decide("default", "data");
  EXPECT_EQ(text_of(plan), "update persistentvolumeclaims data/status\n");
  EXPECT_EQ(reasons(plan),
            "ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!\n");
}

TEST(VolumeBinder, AsksTheServerBeforeItReleasesAVolume) {
  DecisionWorld world(volume_binder());
  world.add(volume(
      "orphan", "2Gi",
      "  claimRef: {name: data, namespace: default, uid: claim-1, resourceVersion: \"3\"}\n"));
  const Plan plan = world.decide("", "orphan");
  EXPECT_EQ(text_of(plan),
            "list persistentvolumeclaims \nupdate persistentvolumes orphan/status\n");
  EXPECT_TRUE(plan.writes[0].expect_empty);
  EXPECT_EQ(plan.writes[1].request.body[keys::kStatus][keys::kPhase].as_string(), "Released");
}

TEST(VolumeBinder, DoesNotTakeAnOldNamesakeForTheClaimsSuccessor) {
  DecisionWorld world(volume_binder());
  world.add(kClaim);  // revision 7, uid claim-1
  world.add(volume(
      "later", "2Gi",
      "  claimRef: {name: data, namespace: default, uid: claim-2, resourceVersion: \"9\"}\n"));
  EXPECT_EQ(text_of(world.decide("", "later")), "");
  world.add(volume(
      "earlier", "2Gi",
      "  claimRef: {name: data, namespace: default, uid: claim-0, resourceVersion: \"3\"}\n"));
  EXPECT_EQ(text_of(world.decide("", "earlier")), "update persistentvolumes earlier/status\n");
}

TEST(ClaimProtection, KeepsAClaimThatARunningPodUses) {
  DecisionWorld world(claim_protection_controller());
  world.add(R"(
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  namespace: default
  deletionTimestamp: "2026-03-01T11:00:00Z"
  finalizers: [kubernetes.io/pvc-protection]
)");
  const auto pod = [](std::string_view phase) {
    return cat(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: user, namespace: default}\nspec:\n  nodeName: "
        "n1\n"
        "  volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]\nstatus: {phase: ",
        phase, "}\n");
  };
  world.add(pod("Running"));
  EXPECT_EQ(text_of(world.decide("default", "data")), "");
  world.add(pod("Succeeded"));
  const Plan plan = world.decide("default", "data");
  ASSERT_EQ(text_of(plan), "update persistentvolumeclaims data\n");
  EXPECT_FALSE(plan.writes[0].request.body[keys::kMetadata][keys::kFinalizers].has_value());
}

TEST(EphemeralVolumes, MakeAClaimThatGoesWithThePod) {
  DecisionWorld world(ephemeral_volume_controller());
  world.add(R"(
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, uid: pod-1}
spec:
  volumes:
  - name: scratch
    ephemeral: {volumeClaimTemplate: {metadata: {labels: {a: b}}, spec: {accessModes: [ReadWriteOnce]}}}
)");
  const Plan plan = world.decide("default", "web");
  ASSERT_EQ(text_of(plan), "create persistentvolumeclaims \n");
  const Value& metadata = plan.writes[0].request.body[keys::kMetadata];
  EXPECT_EQ(metadata[keys::kName].as_string(), "web-scratch");
  EXPECT_EQ(metadata[keys::kOwnerReferences].items()[0][keys::kUid].as_string(), "pod-1");
  world.add(
      "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: web-scratch, namespace: "
      "default}\n");
  const Plan foreign = world.decide("default", "web");
  EXPECT_EQ(text_of(foreign), "");
  EXPECT_EQ(reasons(foreign),
            "EphemeralVolume: PVC default/web-scratch was not created for pod default/web (pod is "
            "not owner)\n");
}

TEST(LocalPath, MakesAVolumeOnTheNodeThatTheSchedulerChose) {
  DecisionWorld world(local_path_provisioner("/volumes"));
  const std::string claim = std::string(kClaim).replace(
      std::string(kClaim).find("metadata: {"), 11,
      "metadata: {annotations: {volume.kubernetes.io/storage-provisioner: rancher.io/local-path, "
      "volume.kubernetes.io/selected-node: n2}, ");
  world.add(claim);
  world.add(storage_class(kOurs, "WaitForFirstConsumer"));
  const Plan gone = world.decide("default", "data");
  EXPECT_EQ(text_of(gone), "update persistentvolumeclaims data\n") << "the scheduler chooses again";
  world.add(
      "apiVersion: v1\nkind: Node\nmetadata: {name: n2, labels: {kubernetes.io/hostname: "
      "host2}}\n");
  const Plan plan = world.decide("default", "data");
  ASSERT_EQ(text_of(plan),
            "create persistentvolumes  | ProvisioningSucceeded: Successfully provisioned volume "
            "pvc-claim-1\n");
  const Value& made = plan.writes[0].request.body;
  EXPECT_EQ(made[keys::kSpec][keys::kHostPath][keys::kPath].as_string(),
            "/volumes/pvc-claim-1_default_data");
  EXPECT_EQ(made[keys::kSpec][keys::kPersistentVolumeReclaimPolicy].as_string(), "Delete");
  const Value& term =
      made[keys::kSpec][keys::kNodeAffinity][keys::kRequired][keys::kNodeSelectorTerms].items()[0];
  EXPECT_EQ(term[keys::kMatchExpressions].items()[0][keys::kValues].items()[0].as_string(),
            "host2");
}

TEST(LocalPath, RefusesWhatAnEmptyFolderIsNot) {
  for (const auto* wish : {"dataSource: {kind: PersistentVolumeClaim, name: nosuch}", "volumeAttributesClassName: nosuch"}) {
    DecisionWorld world(local_path_provisioner("/volumes"));
    std::string claim(kClaim);
    claim.replace(claim.find("metadata: {"), 11, "metadata: {annotations: {volume.kubernetes.io/storage-provisioner: rancher.io/local-path}, ");
    claim.replace(claim.find("spec:\n"), 6, cat("spec:\n  ", wish, "\n"));
    world.add(claim);
    world.add(storage_class(kOurs, "Immediate"));
    const Plan plan = world.decide("default", "data");
    EXPECT_EQ(text_of(plan), "") << wish;
    EXPECT_NE(reasons(plan).find("ProvisioningFailed: "), std::string::npos) << wish;
  }
}

TEST(LocalPath, RefusesAccessFromSeveralNodes) {
  DecisionWorld world(local_path_provisioner("/volumes"));
  std::string claim(kClaim);
  claim.replace(claim.find("metadata: {"), 11,
                "metadata: {annotations: {volume.kubernetes.io/storage-provisioner: "
                "rancher.io/local-path}, ");
  claim.replace(claim.find("ReadWriteOnce"), 13, "ReadWriteMany");
  world.add(claim);
  world.add(storage_class(kOurs, "Immediate"));
  const Plan plan = world.decide("default", "data");
  EXPECT_EQ(text_of(plan), "");
  EXPECT_NE(reasons(plan).find(
                "ProvisioningFailed: failed to provision volume with StorageClass \"standard\""),
            std::string::npos);
}

TEST(LocalPath, GrowsTheVolumeBeforeItSaysSoOfTheClaim) {
  DecisionWorld world(local_path_provisioner("/volumes"));
  const auto claim = [](std::string_view size) {
    return cat(R"(
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: data
  namespace: default
  uid: claim-1
  annotations:
    volume.kubernetes.io/storage-provisioner: rancher.io/local-path
    pv.kubernetes.io/bind-completed: "yes"
spec: {volumeName: pvc-claim-1, storageClassName: standard, resources: {requests: {storage: )",
               size, "}}}\nstatus: {phase: Bound, capacity: {storage: 2Gi}}\n");
  };
  world.add(R"(
apiVersion: v1
kind: PersistentVolume
metadata: {name: pvc-claim-1, annotations: {pv.kubernetes.io/provisioned-by: rancher.io/local-path}}
spec: {capacity: {storage: 2Gi}, claimRef: {namespace: default, name: data, uid: claim-1}}
)");
  world.add(claim("2Gi"));
  EXPECT_EQ(text_of(world.decide("default", "data")), "");
  world.add(claim("3Gi"));
  const Plan grown = world.decide("default", "data");
  ASSERT_EQ(text_of(grown), "update persistentvolumes pvc-claim-1\n");
  world.cache(kinds::kPersistentvolumes).put(grown.writes[0].request.body);
  const Plan said = world.decide("default", "data");
  ASSERT_EQ(text_of(said), "update persistentvolumeclaims data/status\n");
  EXPECT_EQ(reasons(said), "VolumeResizeSuccessful: Resize volume succeeded\n");
  world.cache(kinds::kPersistentvolumeclaims).put(said.writes[0].request.body);
  EXPECT_EQ(text_of(world.decide("default", "data")), "");
}

}  // namespace
}  // namespace minik::control
