#include "minik/process/profile_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "control/base/text.h"

namespace minik {

Result<ProfileLock> ProfileLock::take(const Profile& profile, const std::function<void(int pid)>& waits) {
  const std::string base = profile.directory.substr(0, profile.directory.rfind('/'));
  const std::string path = base + "/.lock";
  UniqueFd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (file.get() < 0 && errno == ENOENT) return ProfileLock(UniqueFd());
  if (file.get() < 0) return error_from_errno(errno, cat("open ", path));
  struct flock record {};
  record.l_type = F_WRLCK;
  record.l_whence = SEEK_SET;
  record.l_start = static_cast<off_t>(fnv1a_64(profile.name) >> 1);
  record.l_len = 1;
  constexpr int kMomentTries = 100;
  for (int tries = 0; fcntl(file.get(), F_SETLK, &record) != 0; ++tries) {
    if (errno != EACCES && errno != EAGAIN && errno != EINTR) return error_from_errno(errno, cat("lock ", path));
    if (tries == kMomentTries) {
      struct flock other = record;
      if (fcntl(file.get(), F_GETLK, &other) == 0 && other.l_type != F_UNLCK) waits(other.l_pid);
    }
    usleep(10'000);
  }
  return ProfileLock(std::move(file));
}

}  // namespace minik
