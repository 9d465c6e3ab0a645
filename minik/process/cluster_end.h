// How a cluster's processes end: the daemon and, by whoever means them as well, the containers that outlive it by design.
//
//   minik stop    kShutdownSignal -> the daemon runs hooks, asks all containers to end, waits for their graces -> ends
//                 what runs all the same (there was no daemon): asked to end, waited for, killed
//                 sandboxes stopped; of containers the records stay, so that the next start knows what has run and with
//                 what result, and not what they have written to their layers
//   minik delete  SIGTERM -> the daemon ends at once; everything is killed and removed
//
// Blocking; the command line's. The profile's lock (profile_lock.h) is held meanwhile.
#pragma once

#include <signal.h>

#include <functional>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"
#include "minik/process/profile.h"

namespace minik {

// To a daemon: end the containers, then yourself. Of SIGTERM it ends alone.
constexpr int kShutdownSignal = SIGUSR1;
// For all containers together, whatever grace each of them has.
constexpr Duration kShutdownMost = seconds(30);

enum class Haste : uint8_t { kGraceful, kAtOnce };

// Told once when it takes longer than a second: the pods whose containers still run, as namespace/name.
using WaitListener = std::function<void(const std::vector<std::string>& pods)>;

Status end_daemon(const Profile& profile, Haste haste, const WaitListener& waits);
Status end_containers(const Profile& profile, Haste haste, const WaitListener& waits);
Status remove_containers(const Profile& profile);

}  // namespace minik
