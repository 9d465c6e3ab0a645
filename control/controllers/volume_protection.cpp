#include "control/controllers/volume_protection.h"

#include <algorithm>

#include "control/controllers/pods.h"
#include "control/controllers/volume_binder.h"
#include "control/object/keys.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

// Takes the finalizer from an object that is being deleted, gives it to one that never got it.
Plan keep_finalizer(KindId kind, const Value& object, std::string_view finalizer, bool in_use) {
  Plan plan;
  const auto held = object[keys::kMetadata][keys::kFinalizers].items();
  std::vector<Value> finalizers(held.begin(), held.end());
  const auto found = std::ranges::find(finalizers, Value(finalizer));
  if (is_deleting(object)) {
    if (found == finalizers.end() || in_use) return plan;
    finalizers.erase(found);
  } else {
    if (found != finalizers.end()) return plan;
    finalizers.emplace_back(finalizer);
  }
  plan.update(kind, object.with_at({keys::kMetadata, keys::kFinalizers},
                                   finalizers.empty() ? Value() : Value::array(finalizers)))
      .on_error = OnError::kTolerateNotFound;
  return plan;
}

Plan protect_claim(const Snapshot& snapshot, const ObjectKey& key, Env&) {
  const Value& claim = snapshot.find(kinds::kPersistentvolumeclaims, key.namespace_, key.name);
  if (!claim.has_value()) return Plan::done();
  const auto users =
      snapshot.indexed(kinds::kPods, kByClaim, claim_index_value(key.namespace_, key.name));
  const bool in_use = std::ranges::any_of(users, [](const Value& pod) {
    return !pod[keys::kSpec][keys::kNodeName].as_string().empty() && !is_pod_ended(pod);
  });
  return keep_finalizer(kinds::kPersistentvolumeclaims, claim, kClaimProtection, in_use);
}

Plan protect_volume(const Snapshot& snapshot, const ObjectKey& key, Env&) {
  const Value& volume = snapshot.find(kinds::kPersistentvolumes, "", key.name);
  if (!volume.has_value()) return Plan::done();
  const bool in_use = volume[keys::kStatus][keys::kPhase].as_string() == "Bound";
  return keep_finalizer(kinds::kPersistentvolumes, volume, kVolumeProtection, in_use);
}

// Claims of a pod that ended or went away.
KeysForChange claims_let_go() {
  return
      [](const Snapshot&, const Value& before, const Value& after, std::vector<ObjectKey>& keys) {
        if (!before.has_value() || (after.has_value() && !is_pod_ended(after))) return;
        for (auto& name : claims_of_pod(before)) {
          keys.push_back({std::string(object_namespace(before)), std::move(name)});
        }
      };
}

}  // namespace

ControllerSpec claim_protection_controller() {
  ControllerSpec spec;
  spec.name = "pvc-protection-controller";
  spec.kind = kinds::kPersistentvolumeclaims;
  spec.watches = {{kinds::kPersistentvolumeclaims, own_key(), {}},
                  {kinds::kPods, claims_let_go(), {{std::string(kByClaim), pods_by_claim()}}}};
  spec.decide = protect_claim;
  return spec;
}

ControllerSpec volume_protection_controller() {
  ControllerSpec spec;
  spec.name = "pv-protection-controller";
  spec.kind = kinds::kPersistentvolumes;
  spec.watches = {{kinds::kPersistentvolumes, own_key(), {}}};
  spec.decide = protect_volume;
  return spec;
}

}  // namespace minik::control
