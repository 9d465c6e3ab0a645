#include "control/controllers/claims.h"

#include "control/controllers/pods.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

const Value& labels_of(const Value& object) {
  return object[keys::kMetadata][keys::kLabels];
}

// A strategic patch of the owners of exactly this object.
void plan_owner_patch(Plan& plan, KindId kind, const Value& object, Value reference) {
  const Value patch =
      Value::map({{keys::kMetadata,
                   Value::map({{keys::kUid, object[keys::kMetadata][keys::kUid]},
                               {keys::kOwnerReferences, Value::array({std::move(reference)})}})}});
  plan.patch(kind, key_of(object), PatchType::kStrategicMerge, patch).on_error =
      OnError::kTolerateNotFound;
}

}  // namespace

IndexFunction orphans_by_namespace() {
  return [](const Value& object, std::vector<Key>& out) {
    if (!controller_of(object).has_value())
      out.emplace_back(object[keys::kMetadata][keys::kNamespace]);
  };
}

Result<LabelSelector> spec_selector(const Value& owner) {
  return LabelSelector::from_object(owner[keys::kSpec][keys::kSelector]);
}

Result<LabelSelector> spec_selector_map(const Value& owner) {
  return LabelSelector::from_map(owner[keys::kSpec][keys::kSelector]);
}

KeysForChange claimant_keys(KindId owner_kind, std::string owner_kind_name,
                            LabelSelectorOf selector_of) {
  return [owner_kind, selector_of, by_owner = owner_key(std::move(owner_kind_name))](
             const Snapshot& snapshot, const Value& before, const Value& after,
             std::vector<ObjectKey>& keys) {
    by_owner(snapshot, before, after, keys);
    if (!after.has_value() || controller_of(after).has_value()) return;
    const bool same = before.has_value() && labels_of(before) == labels_of(after) &&
                      before[keys::kMetadata][keys::kOwnerReferences] ==
                          after[keys::kMetadata][keys::kOwnerReferences];
    if (same) return;
    for (const auto& owner : snapshot.list(owner_kind, object_namespace(after))) {
      const auto selector = selector_of(owner);
      if (selector && selector->matches(labels_of(after))) keys.push_back(key_of(owner));
    }
  };
}

void plan_claims(Plan& plan, const Snapshot& snapshot, KindId kind, const Claimant& claimant,
                 const std::function<bool(const Value& object)>& may_adopt,
                 std::vector<Value>& owned) {
  const Value& owner = claimant.owner;
  std::erase_if(owned, [&](const Value& object) {
    if (claimant.selector.matches(labels_of(object))) return false;
    if (!is_deleting(object)) {
      plan_owner_patch(
          plan, kind, object,
          Value::map({{"$patch", "delete"}, {keys::kUid, owner[keys::kMetadata][keys::kUid]}}));
    }
    return true;
  });
  if (is_deleting(owner)) return;
  for (const auto& object : snapshot.indexed(kind, kOrphans, object_namespace(owner))) {
    if (!may_adopt(object) || !claimant.selector.matches(labels_of(object))) continue;
    plan_owner_patch(plan, kind, object,
                     controller_reference(owner, claimant.api_version, claimant.kind_name));
    owned.push_back(object);
  }
}

}  // namespace minik::control
