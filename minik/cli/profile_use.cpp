#include "minik/cli/profile_use.h"

#include <cstdio>

#include "control/base/text.h"

namespace minik::cli {

Profile existing_profile(const Globals& globals) {
  Profile profile = value_or_fail(Profile::open(globals.profile));
  if (!profile.exists()) {
    fail(Error(ErrorCode::kNotFound, cat("there is no cluster ", minik::quoted(profile.name), ": minik start -p ", profile.name)));
  }
  return profile;
}

ProfileLock lock_or_fail(const Profile& profile) {
  return value_or_fail(ProfileLock::take(profile, [&](int pid) {
    std::fprintf(stderr, "Waiting for process %d, which starts, stops or deletes cluster \"%s\"\n", pid, profile.name.c_str());
  }));
}

}  // namespace minik::cli
