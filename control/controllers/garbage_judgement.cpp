#include "control/controllers/garbage_judgement.h"

#include <algorithm>
#include <vector>

#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

GarbageDecision decide_garbage(const Value& object, const std::function<OwnerWorth(const Value& owner)>& worth_of) {
  using Action = GarbageDecision::Action;
  std::vector<Value> solid;
  bool waits = false, gone = false;
  for (const auto& owner : object[keys::kMetadata][keys::kOwnerReferences].items()) {
    switch (worth_of(owner)) {
      case OwnerWorth::kSolid:
        solid.push_back(owner);
        break;
      case OwnerWorth::kWaits:
        waits = true;
        break;
      case OwnerWorth::kGone:
        gone = true;
        break;
      case OwnerWorth::kUnknown:
        return {Action::kAsk, owner, {}};
    }
  }
  if (is_deleting(object) || (!waits && !gone)) return {};
  if (!solid.empty()) return {Action::kKeepOwners, {}, Value::array(std::move(solid))};
  return {waits ? Action::kRemoveForeground : Action::kRemoveBackground, {}, {}};
}

bool blocks_deletion(const Value& dependent, const Value& owner) {
  return std::ranges::any_of(dependent[keys::kMetadata][keys::kOwnerReferences].items(), [&](const Value& reference) {
    return reference[keys::kUid] == owner[keys::kMetadata][keys::kUid] && reference[keys::kBlockOwnerDeletion].as_bool();
  });
}

}  // namespace minik::control
