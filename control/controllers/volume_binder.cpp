#include "control/controllers/volume_binder.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr std::string_view kFreeByClass = "free-by-class";        // volumes that nobody has claimed
constexpr std::string_view kPendingByClass = "pending-by-class";  // claims without a volume

std::string class_index_value(const Value& object) {
  return cat("class/", storage_class_of(object));
}

void set_claim_phase(Plan& plan, const Value& claim, std::string_view phase) {
  if (claim[keys::kStatus][keys::kPhase].as_string() == phase) return;
  plan.update_status(kinds::kPersistentvolumeclaims,
                     claim.with_at({keys::kStatus, keys::kPhase}, Value(phase)));
}

Value claim_reference(const Value& claim) {
  const Value& metadata = claim[keys::kMetadata];
  return Value::map({{keys::kKind, "PersistentVolumeClaim"},
                     {keys::kApiVersion, "v1"},
                     {keys::kNamespace, metadata[keys::kNamespace]},
                     {keys::kName, metadata[keys::kName]},
                     {keys::kUid, metadata[keys::kUid]},
                     {keys::kResourceVersion, metadata[keys::kResourceVersion]}});
}

// The bond, the volume's half first. What is written already is not written again.
void bind(Plan& plan, const Value& volume, const Value& claim) {
  const Value& reference = volume[keys::kSpec][keys::kClaimRef];
  if (reference[keys::kUid].as_string() != object_uid(claim)) {
    Value bound = volume.with_at({keys::kSpec, keys::kClaimRef}, claim_reference(claim));
    // Only a bond of the binder's own making may be undone by it.
    if (!reference.has_value()) {
      bound = with_annotation(bound, volume_notes::kBoundByController, "yes");
    }
    plan.update(kinds::kPersistentvolumes, std::move(bound));
  }
  if (!is_fully_bound(claim)) {
    Value bound = with_annotation(claim, volume_notes::kBindCompleted, "yes");
    if (claim[keys::kSpec][keys::kVolumeName].as_string().empty()) {
      bound = with_annotation(bound, volume_notes::kBoundByController, "yes")
                  .with_at({keys::kSpec, keys::kVolumeName}, Value(object_name(volume)));
    }
    plan.update(kinds::kPersistentvolumeclaims, std::move(bound));
    return;  // its status follows when this has come back
  }
  MapBuilder status(claim[keys::kStatus]);
  status.set(keys::kPhase, "Bound");
  status.set(keys::kAccessModes, volume[keys::kSpec][keys::kAccessModes]);
  // A volume that grows is the resizer's to report.
  if (claim[keys::kStatus][keys::kPhase].as_string() != "Bound") {
    status.set(keys::kCapacity, volume[keys::kSpec][keys::kCapacity]);
  }
  Value next = std::move(status).build();
  if (!(next == claim[keys::kStatus])) {
    plan.update_status(kinds::kPersistentvolumeclaims, claim.with(keys::kStatus, std::move(next)));
  }
}

Plan lose(const Value& claim, std::string_view reason, std::string message) {
  Plan plan;
  if (claim[keys::kStatus][keys::kPhase].as_string() == "Lost") return plan;
  set_claim_phase(plan, claim, "Lost");
  plan.note(typed_claim(claim), "Warning", std::string(reason), std::move(message));
  return plan;
}

Plan keep_bound(const Snapshot& snapshot, const Value& claim) {
  const auto name = claim[keys::kSpec][keys::kVolumeName].as_string();
  if (name.empty()) {
    return lose(claim, "ClaimLost",
                "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!");
  }
  const Value& volume = snapshot.find(kinds::kPersistentvolumes, "", name);
  if (!volume.has_value()) {
    return lose(claim, "ClaimLost",
                "Bound claim has lost its PersistentVolume. Data on the volume is lost!");
  }
  if (volume[keys::kSpec][keys::kClaimRef].has_value() && !is_reserved_for(volume, claim)) {
    return lose(claim, "ClaimMisbound",
                "Two claims are bound to the same volume, this one is bound incorrectly");
  }
  Plan plan;
  bind(plan, volume, claim);
  return plan;
}

// The claim names its volume itself.
Plan take_named(const Snapshot& snapshot, const Value& claim) {
  Plan plan;
  const Value& volume = snapshot.find(kinds::kPersistentvolumes, "",
                                      claim[keys::kSpec][keys::kVolumeName].as_string());
  if (!volume.has_value()) {
    set_claim_phase(plan, claim, "Pending");  // it may come yet
    return plan;
  }
  if (!volume[keys::kSpec][keys::kClaimRef].has_value()) {
    const std::string unfit = why_unfit(volume, claim);
    if (unfit.empty()) {
      bind(plan, volume, claim);
      return plan;
    }
    set_claim_phase(plan, claim, "Pending");
    plan.note(typed_claim(claim), "Warning", "VolumeMismatch",
              cat("Cannot bind to requested volume ", quoted(object_name(volume)), ": ", unfit));
  } else if (is_reserved_for(volume, claim)) {
    bind(plan, volume, claim);
  } else {
    set_claim_phase(plan, claim, "Pending");
    plan.note(typed_claim(claim), "Warning", "FailedBinding",
              cat("volume ", quoted(object_name(volume)), " already bound to a different claim."));
  }
  return plan;
}

// Nothing fits: what the claim waits for.
Plan wait_for_volume(const Value& claim, const Value& storage_class, bool delayed) {
  Plan plan;
  set_claim_phase(plan, claim, "Pending");
  const std::string class_name = storage_class_of(claim);
  if (delayed) {
    plan.note(typed_claim(claim), "Normal", "WaitForFirstConsumer",
              "waiting for first consumer to be created before binding");
  } else if (class_name.empty()) {
    plan.note(typed_claim(claim), "Normal", "FailedBinding",
              "no persistent volumes available for this claim and no storage class is set");
  } else if (!storage_class.has_value()) {
    plan.note(typed_claim(claim), "Warning", "ProvisioningFailed",
              cat("storageclass.storage.k8s.io ", quoted(class_name), " not found"));
  } else if (const auto maker = storage_class[keys::kProvisioner].as_string();
             maker == kNoProvisioner) {
    plan.note(typed_claim(claim), "Normal", "FailedBinding",
              "no persistent volumes available for this claim and no storage class is set");
  } else if (annotation(claim, volume_notes::kProvisioner).as_string() == maker) {
    plan.note(
        typed_claim(claim), "Normal", "ExternalProvisioning",
        cat("Waiting for a volume to be created either by the external provisioner '", maker,
            "' or manually by the system administrator. If volume creation is delayed, please "
            "verify that the provisioner is running and correctly registered."));
  } else if (plan.writes.empty()) {
    plan.update(kinds::kPersistentvolumeclaims,
                with_annotation(with_annotation(claim, volume_notes::kProvisionerBeta, maker),
                                volume_notes::kProvisioner, maker));
  }
  return plan;
}

Plan find_volume(const Snapshot& snapshot, const Value& claim) {
  if (asks_for_default_class(claim)) {
    // Retroactively: a default class that came after the claim.
    const Value chosen = default_storage_class(snapshot.list(kinds::kStorageclasses));
    if (chosen.has_value()) {
      Plan plan;
      plan.update(
          kinds::kPersistentvolumeclaims,
          claim.with_at({keys::kSpec, keys::kStorageClassName}, Value(object_name(chosen))));
      return plan;
    }
  }
  const Value& storage_class = snapshot.find(kinds::kStorageclasses, "", storage_class_of(claim));
  const bool delayed = waits_for_consumer(storage_class) &&
                       !annotation(claim, volume_notes::kSelectedNode).has_value();
  auto volumes = snapshot.indexed(kinds::kPersistentvolumes, kByClaim,
                                  claim_index_value(object_namespace(claim), object_name(claim)));
  // Where a claim of a delayed class goes is the scheduler's choice, even with a node selected.
  if (!waits_for_consumer(storage_class)) {
    for (auto& volume :
         snapshot.indexed(kinds::kPersistentvolumes, kFreeByClass, class_index_value(claim))) {
      volumes.push_back(std::move(volume));
    }
  }
  const Value volume = best_volume(volumes, claim, false);
  if (!volume.has_value()) return wait_for_volume(claim, storage_class, delayed);
  Plan plan;
  bind(plan, volume, claim);
  return plan;
}

Plan decide_claim(const Snapshot& snapshot, const ObjectKey& key, Env&) {
  const Value& claim = snapshot.find(kinds::kPersistentvolumeclaims, key.namespace_, key.name);
  if (!claim.has_value()) return Plan::done();
  if (annotation(claim, volume_notes::kBindCompleted).has_value()) {
    return keep_bound(snapshot, claim);
  }
  if (is_deleting(claim)) return Plan::done();
  return claim[keys::kSpec][keys::kVolumeName].as_string().empty() ? find_volume(snapshot, claim)
                                                                   : take_named(snapshot, claim);
}

void set_volume_phase(Plan& plan, const Value& volume, std::string_view phase, WallTime now,
                      std::string_view message = {}) {
  const Value& old = volume[keys::kStatus];
  if (old[keys::kPhase].as_string() == phase) return;
  MapBuilder status(old);
  status.set(keys::kPhase, phase);
  status.set(keys::kLastPhaseTransitionTime, format_time(now));
  status.set(keys::kMessage, message.empty() ? Value() : Value(message));
  plan.update_status(kinds::kPersistentvolumes,
                     volume.with(keys::kStatus, std::move(status).build()));
}

// The claim is gone: what its volume's policy says.
void release(Plan& plan, const Value& volume, WallTime now) {
  const auto phase = volume[keys::kStatus][keys::kPhase].as_string();
  if (phase != "Released" && phase != "Failed") {
    set_volume_phase(plan, volume, "Released", now);
    return;
  }
  if (phase == "Failed" || is_deleting(volume)) return;
  const auto policy = volume[keys::kSpec][keys::kPersistentVolumeReclaimPolicy].as_string();
  const Value regarding = typed(volume, "v1", "PersistentVolume");
  if (policy == "Delete" && !annotation(volume, volume_notes::kProvisionedBy).has_value()) {
    const std::string why =
        cat("error getting deleter volume plugin for volume ", quoted(object_name(volume)),
            ": no deletable volume plugin matched");
    set_volume_phase(plan, volume, "Failed", now, why);
    plan.note(regarding, "Warning", "VolumeFailedDelete", why);
  } else if (policy == "Recycle") {
    const std::string why = "No recycler plugin found for the volume!";
    set_volume_phase(plan, volume, "Failed", now, why);
    plan.note(regarding, "Warning", "VolumeFailedRecycle", why);
  }
}

// The plan goes on only when the server, too, has no such claim: a cache may be behind.
void expect_no_claim(Plan& plan, std::string_view namespace_, std::string_view name) {
  PlannedWrite question;
  question.request.verb = Verb::kList;
  question.request.kind = kinds::kPersistentvolumeclaims;
  question.request.namespace_ = namespace_;
  question.request.options.field_selector = cat("metadata.name=", name);
  question.expect_empty = true;
  plan.writes.push_back(std::move(question));
}

Plan undo_bond(const Value& volume) {
  Plan plan;
  // Reserved by an administrator: it stays reserved for a claim of this name.
  const Value& reference = volume[keys::kSpec][keys::kClaimRef];
  Value freed = annotation(volume, volume_notes::kBoundByController).has_value()
                    ? with_annotation(volume.with_at({keys::kSpec, keys::kClaimRef}, Value()),
                                      volume_notes::kBoundByController, Value())
                    : volume.with_at({keys::kSpec, keys::kClaimRef},
                                     reference.without(keys::kUid).without(keys::kResourceVersion));
  plan.update(kinds::kPersistentvolumes, std::move(freed));
  return plan;
}

Plan decide_volume(const Snapshot& snapshot, const ObjectKey& key, Env& env) {
  Plan plan;
  const Value& volume = snapshot.find(kinds::kPersistentvolumes, "", key.name);
  if (!volume.has_value()) return plan;
  const Value& reference = volume[keys::kSpec][keys::kClaimRef];
  const auto uid = reference[keys::kUid].as_string();
  if (uid.empty()) {
    set_volume_phase(plan, volume, "Available", env.now);
    return plan;
  }
  const auto home = reference[keys::kNamespace].as_string();
  const auto name = reference[keys::kName].as_string();
  const Value& claim = snapshot.find(kinds::kPersistentvolumeclaims, home, name);
  if (!claim.has_value()) {
    release(plan, volume, env.now);
    if (plan.writes.empty()) return plan;
    Plan checked;
    expect_no_claim(checked, home, name);
    checked.writes.push_back(std::move(plan.writes.front()));
    checked.events = std::move(plan.events);
    return checked;
  }
  if (object_uid(claim) != uid) {
    // A namesake. One that is older than the bond is a cache's memory of the time before it.
    const auto bound_at = parse_revision(reference[keys::kResourceVersion].as_string());
    if (!bound_at || object_revision(claim) > *bound_at) {
      release(plan, volume, env.now);
    } else {
      plan.look_again_after(seconds(5));
    }
    return plan;
  }
  const auto taken = claim[keys::kSpec][keys::kVolumeName].as_string();
  if (taken == object_name(volume)) {
    set_volume_phase(plan, volume, "Bound", env.now);
  } else if (!taken.empty()) {
    // The claim has another volume; what was made for nobody else goes with the policy.
    const bool made_for_it =
        annotation(volume, volume_notes::kProvisionedBy).has_value() &&
        volume[keys::kSpec][keys::kPersistentVolumeReclaimPolicy].as_string() == "Delete";
    if (!made_for_it) return undo_bond(volume);
    release(plan, volume, env.now);
  }
  return plan;
}

// The claim that the volume is for; every waiting claim of its class while it is free.
KeysForChange claims_of_volume() {
  return [](const Snapshot& snapshot, const Value& before, const Value& after,
            std::vector<ObjectKey>& keys) {
    for (const Value* volume : {&before, &after}) {
      const Value& reference = (*volume)[keys::kSpec][keys::kClaimRef];
      if (!reference.has_value()) continue;
      keys.push_back({reference[keys::kNamespace].string(), reference[keys::kName].string()});
    }
    if (!after.has_value() || after[keys::kSpec][keys::kClaimRef].has_value()) return;
    for (const auto& claim : snapshot.indexed(kinds::kPersistentvolumeclaims, kPendingByClass,
                                              class_index_value(after))) {
      keys.push_back(key_of(claim));
    }
  };
}

void wake_pending(const Snapshot& snapshot, const std::string& index_value,
                  std::vector<ObjectKey>& keys) {
  for (const auto& claim :
       snapshot.indexed(kinds::kPersistentvolumeclaims, kPendingByClass, index_value)) {
    keys.push_back(key_of(claim));
  }
}

KeysForChange claims_of_class() {
  return
      [](const Snapshot& snapshot, const Value&, const Value& after, std::vector<ObjectKey>& keys) {
        if (!after.has_value()) return;
        wake_pending(snapshot, cat("class/", object_name(after)), keys);
        if (annotation(after, volume_notes::kDefaultClass).as_string() == "true") {
          wake_pending(snapshot, "class/", keys);
        }
      };
}

// The volumes that a claim names or that name it.
KeysForChange volumes_of_claim() {
  return [](const Snapshot& snapshot, const Value& before, const Value& after,
            std::vector<ObjectKey>& keys) {
    const Value& claim = after.has_value() ? after : before;
    for (const auto& volume :
         snapshot.indexed(kinds::kPersistentvolumes, kByClaim,
                          claim_index_value(object_namespace(claim), object_name(claim)))) {
      keys.push_back(key_of(volume));
    }
  };
}

}  // namespace

std::string claim_index_value(std::string_view namespace_, std::string_view name) {
  return cat(namespace_, "/", name);
}

IndexFunction volumes_by_claim() {
  return [](const Value& volume, std::vector<Key>& out) {
    const Value& reference = volume[keys::kSpec][keys::kClaimRef];
    if (!reference.has_value()) return;
    out.emplace_back(claim_index_value(reference[keys::kNamespace].as_string(),
                                       reference[keys::kName].as_string()));
  };
}

IndexFunction pods_by_claim() {
  return [](const Value& pod, std::vector<Key>& out) {
    for (const auto& name : claims_of_pod(pod)) {
      out.emplace_back(claim_index_value(object_namespace(pod), name));
    }
  };
}

ControllerSpec claim_binder() {
  ControllerSpec spec;
  spec.name = "persistentvolume-controller";
  spec.kind = kinds::kPersistentvolumeclaims;
  const IndexFunction pending = [](const Value& claim, std::vector<Key>& out) {
    if (claim[keys::kSpec][keys::kVolumeName].as_string().empty()) {
      out.emplace_back(class_index_value(claim));
    }
  };
  const IndexFunction free = [](const Value& volume, std::vector<Key>& out) {
    if (!volume[keys::kSpec][keys::kClaimRef].has_value())
      out.emplace_back(class_index_value(volume));
  };
  spec.watches = {
      {kinds::kPersistentvolumeclaims, own_key(), {{std::string(kPendingByClass), pending}}},
      {kinds::kPersistentvolumes,
       claims_of_volume(),
       {{std::string(kByClaim), volumes_by_claim()}, {std::string(kFreeByClass), free}}},
      {kinds::kStorageclasses, claims_of_class(), {}}};
  spec.decide = decide_claim;
  return spec;
}

ControllerSpec volume_binder() {
  ControllerSpec spec;
  spec.name = "persistentvolume-binder-controller";
  spec.kind = kinds::kPersistentvolumes;
  spec.watches = {
      {kinds::kPersistentvolumes, own_key(), {{std::string(kByClaim), volumes_by_claim()}}},
      {kinds::kPersistentvolumeclaims, volumes_of_claim(), {}}};
  spec.decide = decide_volume;
  return spec;
}

}  // namespace minik::control
