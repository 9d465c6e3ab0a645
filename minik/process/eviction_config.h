// The thresholds below which the node agent of a profile gives pods up, from `minik start --eviction-hard`, in a kubelet's own
// form: "memory.available<500Mi,nodefs.available<5%". By default there are none, as with kind, minikube and k3s (but for its
// disks): the machine is somebody's laptop, and what else it does must not cost him his pods. They are checked and kept in the
// profile's folder, from which every later start reads them; an empty text takes them away.
#pragma once

#include <string>
#include <string_view>

#include "control/base/result.h"
#include "control/kubelet/eviction_signals.h"
#include "minik/process/profile.h"

namespace minik {

Status keep_eviction_thresholds(const Profile& profile, std::string_view text);
// None where none are kept.
Result<control::EvictionThresholds> kept_eviction_thresholds(const Profile& profile);

}  // namespace minik
