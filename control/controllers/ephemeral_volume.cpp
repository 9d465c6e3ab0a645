#include "control/controllers/ephemeral_volume.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/object/volume_match.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

bool has_templates(const Value& pod) {
  return std::ranges::any_of(pod[keys::kSpec][keys::kVolumes].items(), [](const Value& volume) {
    return volume[keys::kEphemeral][keys::kVolumeClaimTemplate].has_value();
  });
}

Plan make_claims(const Snapshot& snapshot, const ObjectKey& key, Env&) {
  Plan plan;
  const Value& pod = snapshot.find(kinds::kPods, key.namespace_, key.name);
  if (!pod.has_value() || !is_pod_active(pod)) return plan;
  for (const auto& volume : pod[keys::kSpec][keys::kVolumes].items()) {
    const Value& form = volume[keys::kEphemeral][keys::kVolumeClaimTemplate];
    if (!form.has_value()) continue;
    const std::string name = claim_of_volume(pod, volume);
    const Value& claim = snapshot.find(kinds::kPersistentvolumeclaims, key.namespace_, name);
    if (!claim.has_value()) {
      const Value metadata = Value::map(
          {{keys::kName, name},
           {keys::kNamespace, key.namespace_},
           {keys::kLabels, form[keys::kMetadata][keys::kLabels]},
           {keys::kAnnotations, form[keys::kMetadata][keys::kAnnotations]},
           {keys::kOwnerReferences, Value::array({controller_reference(pod, "v1", "Pod")})}});
      plan.create(kinds::kPersistentvolumeclaims,
                  Value::map({{keys::kMetadata, metadata}, {keys::kSpec, form[keys::kSpec]}}))
          .on_error = OnError::kTolerateExists;
    } else if (std::string why = why_not_for_pod(pod, volume, claim); !why.empty()) {
      plan.note(typed(pod, "v1", "Pod"), "Warning", "EphemeralVolume", std::move(why));
      plan.look_again_after(seconds(10));
    }
  }
  return plan;
}

}  // namespace

ControllerSpec ephemeral_volume_controller() {
  ControllerSpec spec;
  spec.name = "ephemeral_volume";
  spec.kind = kinds::kPods;
  const KeysForChange with_templates = [](const Snapshot&, const Value& before, const Value& after,
                                          std::vector<ObjectKey>& keys) {
    if (before.has_value() || !has_templates(after)) return;
    keys.push_back(key_of(after));
  };
  const KeysForChange owner = owner_key("Pod");
  // A claim that is gone while its pod is there comes again.
  const KeysForChange lost_claims = [owner](const Snapshot& snapshot, const Value& before,
                                            const Value& after, std::vector<ObjectKey>& keys) {
    if (!after.has_value()) owner(snapshot, before, after, keys);
  };
  spec.watches = {{kinds::kPods, with_templates, {}},
                  {kinds::kPersistentvolumeclaims, lost_claims, {}}};
  spec.decide = make_claims;
  return spec;
}

}  // namespace minik::control
