// Volumes while the controllers die between the halves of a bond.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "tests/controllers/converge.h"

namespace minik::sim {
namespace {

using namespace control;

// Provisioned volumes are named after the uids of their claims, which chance draws: a claim stands
// for them.
std::vector<std::string> volume_lines(const Store& store) {
  std::vector<std::string> lines;
  store.for_each(kinds::kPersistentvolumeclaims, [&](const Value& claim) {
    lines.push_back(cat("claim ", object_name(claim), " ",
                        claim[keys::kStatus][keys::kPhase].as_string(), " ",
                        claim[keys::kStatus][keys::kCapacity].get("storage").as_string(), " ",
                        claim[keys::kMetadata][keys::kFinalizers].size(), "\n"));
  });
  store.for_each(kinds::kPersistentvolumes, [&](const Value& volume) {
    const Value& spec = volume[keys::kSpec];
    const std::string name(object_name(volume));
    lines.push_back(cat("volume ", name.starts_with("pvc-") ? "made" : name, " ",
                        volume[keys::kStatus][keys::kPhase].as_string(), " ",
                        spec[keys::kClaimRef][keys::kName].as_string(), " ",
                        spec[keys::kCapacity].get("storage").as_string(), "\n"));
  });
  return lines;
}

std::string sorted_text(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return join(lines, "");
}

std::string claim(std::string_view name, std::string_view class_name, std::string_view size) {
  return cat("apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: ", name,
             "}\nspec:\n  accessModes: [ReadWriteOnce]\n  storageClassName: ", class_name,
             "\n  resources: {requests: {storage: ", size, "}}\n---\n");
}

constexpr std::string_view kClasses = R"(
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: quick}
provisioner: rancher.io/local-path
allowVolumeExpansion: true
---
apiVersion: v1
kind: PersistentVolume
metadata: {name: by-hand}
spec:
  capacity: {storage: 5Gi}
  accessModes: [ReadWriteOnce]
  storageClassName: manual
  hostPath: {path: /data}
---
)";

TEST(VolumeConvergence, ClaimsAreBoundAndReleasedVolumesCleaned) {
  ConvergenceCase story;
  story.changes =
      apply_at(seconds(5), cat(kClasses, claim("kept", "quick", "1Gi"),
                               claim("gone", "quick", "1Gi"), claim("manual", "manual", "2Gi")));
  // Late enough that the claim by hand is bound by then, whatever happens: only then is its volume released.
  story.changes.push_back(delete_at(seconds(220), "persistentvolumeclaims", "gone"));
  story.changes.push_back(delete_at(seconds(225), "persistentvolumeclaims", "manual"));
  story.trouble = seconds(280);
  story.state = [](const Store& store) { return sorted_text(volume_lines(store)); };
  expect_convergence(story);
}

TEST(VolumeConvergence, AnEphemeralClaimComesAndGoesWithItsPod) {
  ConvergenceCase story;
  std::string manifests;
  for (const auto* name : {"stays", "goes"}) {
    manifests += cat("apiVersion: v1\nkind: Pod\nmetadata: {name: ", name,
                     "}\nspec:\n  containers: [{name: main, image: \"demo:1\"}]\n  volumes: [{name: data, ephemeral: {volumeClaimTemplate: "
                     "{spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}}}]\n---\n");
  }
  story.changes = apply_at(seconds(5), manifests);
  story.changes.push_back(delete_at(seconds(100), "pods", "goes"));
  story.trouble = seconds(150);
  story.state = [](const Store& store) { return sorted_text(volume_lines(store)); };
  expect_convergence(story);
}

TEST(VolumeConvergence, PodsGetTheirVolumesWhereTheyAre) {
  ConvergenceCase story;
  std::string manifests;
  for (const auto* name : {"one", "two", "three"}) {
    manifests += claim(name, "standard", "1Gi");
    manifests +=
        cat("apiVersion: v1\nkind: Pod\nmetadata: {name: ", name,
            "}\nspec:\n  containers: [{name: main, image: \"demo:1\"}]\n  volumes: [{name: data, "
            "persistentVolumeClaim: {claimName: ",
            name, "}}]\n---\n");
  }
  story.changes = apply_at(seconds(5), manifests);
  story.changes.push_back(delete_at(seconds(30), "pods", "two"));
  story.changes.push_back(delete_at(seconds(31), "persistentvolumeclaims", "two"));
  story.state = [](const Store& store) {
    auto lines = volume_lines(store);
    store.for_each(kinds::kPods, [&](const Value& pod) {
      lines.push_back(
          cat("pod ", object_name(pod), " ", pod[keys::kStatus][keys::kPhase].as_string(), "\n"));
    });
    return sorted_text(std::move(lines));
  };
  expect_convergence(story);
}

}  // namespace
}  // namespace minik::sim
