#include "control/object/volume_match.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"
#include "control/object/selector.h"

namespace minik::control {

std::string storage_class_of(const Value& object) {
  const Value& old = annotation(object, volume_notes::kClassBeta);
  return old.has_value() ? old.string() : object[keys::kSpec][keys::kStorageClassName].string();
}

bool asks_for_default_class(const Value& claim) {
  return !annotation(claim, volume_notes::kClassBeta).has_value() &&
         !claim[keys::kSpec][keys::kStorageClassName].has_value();
}

Value default_storage_class(const std::vector<Value>& classes) {
  Value newest;
  for (const auto& storage_class : classes) {
    if (annotation(storage_class, volume_notes::kDefaultClass).as_string() != "true") continue;
    // RFC 3339 times of one zone compare as text; of two made in one second the first by name.
    const auto made = [](const Value& c) {
      return c[keys::kMetadata][keys::kCreationTimestamp].as_string();
    };
    const bool better =
        newest.is_absent() || made(storage_class) > made(newest) ||
        (made(storage_class) == made(newest) && object_name(storage_class) < object_name(newest));
    if (better) newest = storage_class;
  }
  return newest;
}

bool waits_for_consumer(const Value& storage_class) {
  return storage_class[keys::kVolumeBindingMode].as_string() == "WaitForFirstConsumer";
}

bool is_reserved_for(const Value& volume, const Value& claim) {
  const Value& reference = volume[keys::kSpec][keys::kClaimRef];
  if (reference[keys::kName].as_string() != object_name(claim)) return false;
  if (reference[keys::kNamespace].as_string() != object_namespace(claim)) return false;
  const auto uid = reference[keys::kUid].as_string();
  return uid.empty() || uid == object_uid(claim);
}

bool is_fully_bound(const Value& claim) {
  return !claim[keys::kSpec][keys::kVolumeName].as_string().empty() &&
         annotation(claim, volume_notes::kBindCompleted).has_value();
}

std::string why_unfit(const Value& volume, const Value& claim) {
  const Value& have = volume[keys::kSpec];
  const Value& want = claim[keys::kSpec];
  const auto size = [](const Value& amounts) { return Quantity::of_value(amounts.get("storage")); };
  if (size(have[keys::kCapacity]) < size(want[keys::kResources][keys::kRequests])) {
    return "requested PV is too small";
  }
  if (storage_class_of(volume) != storage_class_of(claim)) return "storageClassName does not match";
  if (have[keys::kVolumeMode].as_string("Filesystem") !=
      want[keys::kVolumeMode].as_string("Filesystem")) {
    return "incompatible volumeMode";
  }
  const auto modes = have[keys::kAccessModes].items();
  const bool all_modes = std::ranges::all_of(
      want[keys::kAccessModes].items(),
      [&](const Value& mode) { return std::ranges::find(modes, mode) != modes.end(); });
  return all_modes ? std::string() : "incompatible accessMode";
}

Value best_volume(const std::vector<Value>& volumes, const Value& claim, bool reserved_only) {
  const auto labels_fit = [&](const Value& volume) {
    const Value& wanted = claim[keys::kSpec][keys::kSelector];
    if (!wanted.has_value()) return true;
    const auto selector = LabelSelector::from_object(wanted);
    return selector && selector->matches(volume[keys::kMetadata][keys::kLabels]);
  };
  const auto size = [](const Value& volume) {
    return Quantity::of_value(volume[keys::kSpec][keys::kCapacity].get("storage"));
  };
  Value best;
  for (const auto& volume : volumes) {
    if (is_deleting(volume) || !why_unfit(volume, claim).empty()) continue;
    if (volume[keys::kSpec][keys::kClaimRef].has_value()) {
      if (is_reserved_for(volume, claim)) return volume;
      continue;
    }
    if (reserved_only || !labels_fit(volume)) continue;
    if (volume[keys::kStatus][keys::kPhase].as_string() != "Available") continue;
    const bool better = best.is_absent() || size(volume) < size(best) ||
                        (size(volume) == size(best) && object_name(volume) < object_name(best));
    if (better) best = volume;
  }
  return best;
}

std::string claim_of_volume(const Value& pod, const Value& pod_volume) {
  if (pod_volume[keys::kEphemeral].has_value()) {
    return cat(object_name(pod), "-", pod_volume[keys::kName].as_string());
  }
  return pod_volume[keys::kPersistentVolumeClaim][keys::kClaimName].string();
}

std::string why_not_for_pod(const Value& pod, const Value& pod_volume, const Value& claim) {
  if (!pod_volume[keys::kEphemeral].has_value()) return {};
  if (controller_of(claim)[keys::kUid].as_string() == object_uid(pod)) return {};
  return cat("PVC ", object_namespace(claim), "/", object_name(claim), " was not created for pod ",
             key_of(pod).text(), " (pod is not owner)");
}

std::vector<std::string> claims_of_pod(const Value& pod) {
  std::vector<std::string> names;
  for (const auto& volume : pod[keys::kSpec][keys::kVolumes].items()) {
    std::string name = claim_of_volume(pod, volume);
    if (!name.empty() && std::ranges::find(names, name) == names.end()) {
      names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace minik::control
