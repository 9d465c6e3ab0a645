#include "control/controllers/local_path.h"

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

constexpr std::string_view kHostname = "kubernetes.io/hostname";

bool is_ours(const Value& claim) {
  return annotation(claim, volume_notes::kProvisioner).as_string() == kLocalPathProvisioner;
}

// What no directory of one node can give; empty when it can.
std::string why_not(const Value& claim) {
  const Value& spec = claim[keys::kSpec];
  if (spec[keys::kVolumeMode].as_string() == "Block") {
    return "block volumes are not served: a local path is a directory";
  }
  for (const auto& mode : spec[keys::kAccessModes].items()) {
    if (mode.as_string() != "ReadWriteOnce" && mode.as_string() != "ReadWriteOncePod") {
      return "NodePath only supports ReadWriteOnce and ReadWriteOncePod (1.22+) access modes";
    }
  }
  if (spec[keys::kSelector].has_value()) return "claim.Spec.Selector is not supported";
  if (spec[keys::kDataSource].has_value() || spec[keys::kDataSourceRef].has_value()) {
    return "claim.Spec.DataSource is not supported: a local path begins empty";
  }
  if (const auto attributes = spec[keys::kVolumeAttributesClassName].as_string(); !attributes.empty()) {
    return cat("VolumeAttributesClass ", quoted(attributes), " is not supported: a local path has no attributes");
  }
  return {};
}

// The node that the scheduler chose. For a class that binds at once any that takes pods will do,
// and the claim's uid says which, so that claims spread and a repeated decision agrees with itself.
const Value& node_for(const std::vector<Value>& nodes, const Value& claim) {
  const auto selected = annotation(claim, volume_notes::kSelectedNode).as_string();
  const Value* best = nullptr;
  uint64_t best_rank = 0;
  for (const auto& node : nodes) {
    if (!selected.empty()) {
      if (object_name(node) == selected) return node;
      continue;
    }
    if (is_deleting(node) || node[keys::kSpec][keys::kUnschedulable].as_bool()) continue;
    if (!is_condition_true(node, "Ready")) continue;
    const uint64_t rank = fnv1a_64(cat(object_uid(claim), object_name(node)));
    if (!best || rank > best_rank) {
      best = &node;
      best_rank = rank;
    }
  }
  return best ? *best : Value::absent();
}

Value make_volume(const Value& claim, const Value& storage_class, const Value& node,
                  const std::string& root, const std::string& name) {
  const Value& spec = claim[keys::kSpec];
  const std::string path =
      cat(root, "/", name, "_", object_namespace(claim), "_", object_name(claim));
  const Value reference =
      Value::map({{keys::kKind, "PersistentVolumeClaim"},
                  {keys::kApiVersion, "v1"},
                  {keys::kNamespace, Value(object_namespace(claim))},
                  {keys::kName, Value(object_name(claim))},
                  {keys::kUid, Value(object_uid(claim))},
                  {keys::kResourceVersion, claim[keys::kMetadata][keys::kResourceVersion]}});
  const Value& label = node[keys::kMetadata][keys::kLabels].get(kHostname);
  const Value here = Value::map(
      {{keys::kKey, kHostname},
       {keys::kOperator, "In"},
       {keys::kValues, Value::array({label.has_value() ? label : Value(object_name(node))})}});
  const Value affinity = Value::map(
      {{keys::kRequired,
        Value::map(
            {{keys::kNodeSelectorTerms,
              Value::array({Value::map({{keys::kMatchExpressions, Value::array({here})}})})}})}});
  return Value::map(
      {{keys::kMetadata,
        Value::map({{keys::kName, name},
                    {keys::kAnnotations,
                     Value::map({{Key(volume_notes::kProvisionedBy), kLocalPathProvisioner},
                                 {Key(volume_notes::kSelectedNode), object_name(node)}})}})},
       {keys::kSpec,
        Value::map(
            {{keys::kCapacity,
              Value::map({{"storage", spec[keys::kResources][keys::kRequests].get("storage")}})},
             {keys::kAccessModes, spec[keys::kAccessModes]},
             {keys::kVolumeMode, spec[keys::kVolumeMode]},
             {keys::kStorageClassName, storage_class_of(claim)},
             {keys::kPersistentVolumeReclaimPolicy, storage_class[keys::kReclaimPolicy]},
             {keys::kMountOptions, storage_class[keys::kMountOptions]},
             {keys::kClaimRef, reference},
             {keys::kHostPath,
              Value::map({{keys::kPath, path}, {keys::kType, "DirectoryOrCreate"}})},
             {keys::kNodeAffinity, affinity}})}});
}

Plan refuse(const Value& claim, std::string_view class_name, const std::string& why) {
  Plan plan;
  plan.note(typed_claim(claim), "Warning", "ProvisioningFailed",
            cat("failed to provision volume with StorageClass ", quoted(class_name), ": ", why));
  return plan;
}

Plan provision(const Snapshot& snapshot, const Value& claim, const std::string& root) {
  const std::string class_name = storage_class_of(claim);
  const Value& storage_class = snapshot.find(kinds::kStorageclasses, "", class_name);
  if (storage_class[keys::kProvisioner].as_string() != kLocalPathProvisioner) return Plan::done();
  const auto selected = annotation(claim, volume_notes::kSelectedNode).as_string();
  if (waits_for_consumer(storage_class) && selected.empty()) return Plan::done();
  const std::string name = cat("pvc-", object_uid(claim));
  if (snapshot.find(kinds::kPersistentvolumes, "", name).has_value()) return Plan::done();
  if (const std::string why = why_not(claim); !why.empty()) return refuse(claim, class_name, why);
  const auto nodes = snapshot.list(kinds::kNodes);
  const Value& node = node_for(nodes, claim);
  if (!node.has_value()) {
    if (selected.empty()) return refuse(claim, class_name, "no node is ready");
    // The node is gone: the scheduler must choose again.
    Plan plan = refuse(claim, class_name, cat("node ", quoted(selected), " not found"));
    plan.update(kinds::kPersistentvolumeclaims,
                with_annotation(claim, volume_notes::kSelectedNode, Value()));
    return plan;
  }
  Plan plan;
  auto& write =
      plan.create(kinds::kPersistentvolumes, make_volume(claim, storage_class, node, root, name));
  write.on_error = OnError::kTolerateExists;
  write.event = EventNote{typed_claim(claim), "Normal", "ProvisioningSucceeded",
                          cat("Successfully provisioned volume ", name)};
  return plan;
}

// The volume first, then the claim: each says what it has.
Plan grow(const Snapshot& snapshot, const Value& claim) {
  Plan plan;
  const Value& volume = snapshot.find(kinds::kPersistentvolumes, "",
                                      claim[keys::kSpec][keys::kVolumeName].as_string());
  const bool ours =
      annotation(volume, volume_notes::kProvisionedBy).as_string() == kLocalPathProvisioner;
  if (!ours || !is_reserved_for(volume, claim)) return plan;
  const Value& wanted = claim[keys::kSpec][keys::kResources][keys::kRequests].get("storage");
  const auto less = [&](const Value& amounts) {
    return Quantity::of_value(amounts.get("storage")) < Quantity::of_value(wanted);
  };
  if (less(volume[keys::kSpec][keys::kCapacity])) {
    plan.update(kinds::kPersistentvolumes,
                volume.with_at({keys::kSpec, keys::kCapacity, Key("storage")}, wanted));
  } else if (claim[keys::kStatus][keys::kPhase].as_string() == "Bound" &&
             less(claim[keys::kStatus][keys::kCapacity])) {
    plan.update_status(kinds::kPersistentvolumeclaims,
                       claim.with_at({keys::kStatus, keys::kCapacity, Key("storage")}, wanted));
    plan.note(typed_claim(claim), "Normal", "VolumeResizeSuccessful", "Resize volume succeeded");
  }
  return plan;
}

}  // namespace

ControllerSpec local_path_provisioner(std::string volume_root) {
  ControllerSpec spec;
  spec.name = "local-path-provisioner";
  spec.kind = kinds::kPersistentvolumeclaims;
  const KeysForChange claim_of_volume = [](const Snapshot&, const Value&, const Value& after,
                                           std::vector<ObjectKey>& keys) {
    const Value& reference = after[keys::kSpec][keys::kClaimRef];
    if (annotation(after, volume_notes::kProvisionedBy).as_string() != kLocalPathProvisioner)
      return;
    keys.push_back({reference[keys::kNamespace].string(), reference[keys::kName].string()});
  };
  // A node that has become ready may serve claims that found none.
  const KeysForChange waiting_claims = [](const Snapshot& snapshot, const Value& before,
                                          const Value& after, std::vector<ObjectKey>& keys) {
    if (!is_condition_true(after, "Ready") || is_condition_true(before, "Ready")) return;
    for (const auto& claim : snapshot.list(kinds::kPersistentvolumeclaims)) {
      if (is_ours(claim) && !is_fully_bound(claim)) keys.push_back(key_of(claim));
    }
  };
  spec.watches = {{kinds::kPersistentvolumeclaims, own_key(), {}},
                  {kinds::kPersistentvolumes, claim_of_volume, {}},
                  {kinds::kStorageclasses, {}, {}},
                  {kinds::kNodes, waiting_claims, {}}};
  spec.decide = [root = std::move(volume_root)](const Snapshot& snapshot, const ObjectKey& key,
                                                Env&) {
    const Value& claim = snapshot.find(kinds::kPersistentvolumeclaims, key.namespace_, key.name);
    if (!claim.has_value() || is_deleting(claim) || !is_ours(claim)) return Plan::done();
    return is_fully_bound(claim) ? grow(snapshot, claim) : provision(snapshot, claim, root);
  };
  return spec;
}

}  // namespace minik::control
