// What becomes of an object by what its owners are worth, as a plain function: the garbage collector finds out what
// they are worth, and sends what is decided here.
#pragma once

#include <functional>

#include "control/client/request.h"
#include "control/object/value.h"

namespace minik::control {

enum class OwnerWorth : uint8_t {
  kSolid,    // it is there
  kWaits,    // it is being deleted in the foreground: all that it owns goes first
  kGone,     // it is no more, or was another object of its name
  kUnknown,  // only the API can tell
  kInvalid,  // nobody can tell: its kind is not served, or it could only be in some namespace
};

// What the object itself owns.
enum class Dependents : uint8_t {
  kNone,
  kSome,
  kWaiting,  // and one of them is being deleted in the foreground itself
};

struct GarbageDecision {
  enum class Action : uint8_t {
    kNothing,
    kAsk,        // about `owner`, before anything else
    kSetOwners,  // the object stays as yet, with `owners`
    kRemove,     // by `policy`
  };
  Action action = Action::kNothing;
  Value owner = {}, owners = {};
  PropagationPolicy policy = PropagationPolicy::kUnset;
};

// One owner that stays keeps the object, without those that do not. What goes with an owner that waits, and owns
// something, goes in the foreground, too; where owners wait for each other in a circle, the object no longer blocks
// them first. A finalizer that says how its own dependents are to be treated is heeded. An object that is on its way
// out already is left to it; but its owners are asked about all the same, so that the answer is known to others.
GarbageDecision decide_garbage(const Value& object, const std::function<OwnerWorth(const Value& owner)>& worth_of,
                               const std::function<Dependents()>& dependents_of);
// An owner that is deleted in the foreground waits for this dependent.
bool blocks_deletion(const Value& dependent, const Value& owner);

// The finalizers by which a deletion says what becomes of the dependents.
inline constexpr std::string_view kOrphanFinalizer = "orphan", kForegroundFinalizer = "foregroundDeletion";
bool has_finalizer_named(const Value& object, std::string_view name);

}  // namespace minik::control
