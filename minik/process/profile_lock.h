// ProfileLock: held by a command that starts, stops or deletes a cluster, so that two of them do so one after the other.
//
// A record lock on a file beside the profiles' folders, one record a profile: the folder itself comes and goes. It ends with
// its process, however that ends. One at a time in a process.
#pragma once

#include <functional>

#include "control/base/result.h"
#include "minik/net/unique_fd.h"
#include "minik/process/profile.h"

namespace minik {

class ProfileLock {
 public:
  // Waits for whoever has it; `waits` is told once of his process id, when that takes longer than a moment. Where no profile
  // has ever been nobody is locked out.
  static Result<ProfileLock> take(const Profile& profile, const std::function<void(int pid)>& waits);

  void release() { file_.reset(); }

 private:
  explicit ProfileLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace minik
