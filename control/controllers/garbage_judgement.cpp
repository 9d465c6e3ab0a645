#include "control/controllers/garbage_judgement.h"

#include <algorithm>
#include <vector>

#include "control/object/keys.h"
#include "control/object/object_ref.h"

namespace minik::control {

namespace {

bool is_blocking(const Value& reference) {
  return reference[keys::kBlockOwnerDeletion].as_bool();
}

PropagationPolicy policy_by_finalizers(const Value& object) {
  if (has_finalizer_named(object, kOrphanFinalizer)) return PropagationPolicy::kOrphan;
  if (has_finalizer_named(object, kForegroundFinalizer)) return PropagationPolicy::kForeground;
  return PropagationPolicy::kBackground;
}

}  // namespace

bool has_finalizer_named(const Value& object, std::string_view name) {
  return std::ranges::any_of(object[keys::kMetadata][keys::kFinalizers].items(),
                             [&](const Value& finalizer) { return finalizer.as_string() == name; });
}

GarbageDecision decide_garbage(const Value& object, const std::function<OwnerWorth(const Value& owner)>& worth_of,
                               const std::function<Dependents()>& dependents_of) {
  using Action = GarbageDecision::Action;
  const auto owners = object[keys::kMetadata][keys::kOwnerReferences].items();
  std::vector<Value> solid;
  bool waits = false, gone = false;
  for (const auto& owner : owners) {
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
        return {.action = Action::kAsk, .owner = owner};
      case OwnerWorth::kInvalid:
        return {};
    }
  }
  if (is_deleting(object) || (!waits && !gone)) return {};
  if (!solid.empty()) return {.action = Action::kSetOwners, .owners = Value::array(std::move(solid))};
  const Dependents dependents = waits ? dependents_of() : Dependents::kNone;
  if (dependents == Dependents::kNone) return {.action = Action::kRemove, .policy = policy_by_finalizers(object)};
  if (dependents == Dependents::kWaiting && std::ranges::any_of(owners, is_blocking)) {
    std::vector<Value> unblocked;
    for (const auto& owner : owners) {
      unblocked.push_back(is_blocking(owner) ? owner.with(keys::kBlockOwnerDeletion, false) : owner);
    }
    return {.action = Action::kSetOwners, .owners = Value::array(std::move(unblocked))};
  }
  return {.action = Action::kRemove, .policy = PropagationPolicy::kForeground};
}

bool blocks_deletion(const Value& dependent, const Value& owner) {
  return std::ranges::any_of(dependent[keys::kMetadata][keys::kOwnerReferences].items(), [&](const Value& reference) {
    return reference[keys::kUid] == owner[keys::kMetadata][keys::kUid] && is_blocking(reference);
  });
}

}  // namespace minik::control
