// What becomes of an object by what its owners are worth, as a plain function: the garbage collector finds out what
// they are worth, and sends what is decided here.
#pragma once

#include <functional>

#include "control/object/value.h"

namespace minik::control {

enum class OwnerWorth : uint8_t {
  kSolid,    // it is there
  kWaits,    // it is being deleted in the foreground, and waits for this object
  kGone,     // it is no more, or was another object of its name
  kUnknown,  // only the API can tell
};

struct GarbageDecision {
  enum class Action : uint8_t {
    kNothing,
    kAsk,               // about `owner`, before anything else
    kKeepOwners,        // the object stays, with `owners` alone
    kRemoveBackground,  // nobody is left
    kRemoveForeground,  // an owner waits: the object goes as the owner does
  };
  Action action = Action::kNothing;
  Value owner, owners;
};

// One owner that stays keeps the object. An object that is on its way out already is left to it; but its owners are
// asked about all the same, so that the answer is known to others.
GarbageDecision decide_garbage(const Value& object, const std::function<OwnerWorth(const Value& owner)>& worth_of);
// An owner that is deleted in the foreground waits for this dependent.
bool blocks_deletion(const Value& dependent, const Value& owner);

}  // namespace minik::control
