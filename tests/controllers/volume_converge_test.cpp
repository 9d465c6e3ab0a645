// Volumes while the controllers die between the halves of a bond.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"
#include "tests/controllers/converge.h"

namespace minik::sim {
namespace {

using namespace control;

// Provisioned volumes are named after the uids of their claims, which chance draws: a claim stands for them.
std::string volumes_state(const Store& store) {
  std::string state;
  store.for_each(kinds::kPersistentvolumeclaims, [&](const Value& claim) {
    state += cat("claim ", object_name(claim), " ", claim[keys::kStatus][keys::kPhase].as_string(), " ",
                 claim[keys::kStatus][keys::kCapacity].get("storage").as_string(), " ",
                 claim[keys::kMetadata][keys::kFinalizers].size(), "\n");
  });
  std::vector<std::string> volumes;
  store.for_each(kinds::kPersistentvolumes, [&](const Value& volume) {
    const Value& spec = volume[keys::kSpec];
    const std::string name(object_name(volume));
    volumes.push_back(cat("volume ", name.starts_with("pvc-") ? "made" : name, " ",
                          volume[keys::kStatus][keys::kPhase].as_string(), " ",
                          spec[keys::kClaimRef][keys::kName].as_string(), " ",
                          spec[keys::kCapacity].get("storage").as_string(), "\n"));
  });
  std::sort(volumes.begin(), volumes.end());
  for (const auto& line : volumes) state += line;
  return state;
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
  story.changes = apply_at(seconds(5), cat(kClasses, claim("kept", "quick", "1Gi"), claim("gone", "quick", "1Gi"),
                                           claim("manual", "manual", "2Gi")));
  story.changes.push_back(delete_at(seconds(30), "persistentvolumeclaims", "gone"));
  story.changes.push_back(delete_at(seconds(40), "persistentvolumeclaims", "manual"));
  story.state = volumes_state;
  expect_convergence(story);
}

}  // namespace
}  // namespace minik::sim
