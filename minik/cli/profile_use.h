// How commands come by the profile that they work on.
#pragma once

#include "minik/cli/command.h"
#include "minik/process/profile.h"
#include "minik/process/profile_lock.h"

namespace minik::cli {

// Fails where there is no such cluster: a slip in a name must not make one.
Profile existing_profile(const Globals& globals);
// Of whoever starts, stops or deletes it; says whom it waits for.
ProfileLock lock_or_fail(const Profile& profile);

}  // namespace minik::cli
