// What controllers ask about pods, conditions and shares of replicas. Pure readers.
#pragma once

#include <optional>
#include <string_view>

#include "control/base/time.h"
#include "control/object/value.h"

namespace minik::control {

// The index of pods by the name of their node, which is one for all who ask for it.
inline constexpr std::string_view kPodsByNode = "node";

// Not ended and not being deleted.
bool is_pod_active(const Value& pod);
bool is_pod_ended(const Value& pod);
// The entry of status.conditions of this type, or absent; for any object with conditions.
const Value& condition(const Value& object, std::string_view type);
bool is_condition_true(const Value& object, std::string_view type);
bool is_pod_ready(const Value& pod);
// Ready for at least this long.
bool is_pod_available(const Value& pod, int64_t min_ready_seconds, WallTime now);
std::optional<WallTime> time_of(const Value& text);

// The object with this condition set; lastTransitionTime moves only when the status changes, lastUpdateTime, for
// the kinds that keep one, when anything of the condition does.
Value with_condition(const Value& object, const Value& condition, WallTime now);

Value without_condition(const Value& object, std::string_view type);

// {apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true}
Value controller_reference(const Value& owner, std::string_view api_version, std::string_view kind);
// With apiVersion and kind, as events and references want it; stored objects do not repeat them.
Value typed(const Value& object, std::string_view api_version, std::string_view kind);
Value typed_claim(const Value& claim);  // of a PersistentVolumeClaim

// An IntOrString: the number, or so many percent of `total`.
int64_t scaled(const Value& value, int64_t total, bool round_up);

}  // namespace minik::control
