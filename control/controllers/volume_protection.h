// Protection of volumes in use: a claim that a pod uses, and a volume that is bound, stay until
// they are let go, however they are deleted. The finalizers kubernetes.io/pvc-protection and
// kubernetes.io/pv-protection come with creation (admission StorageObjectInUseProtection); these
// controllers take them away from what is being deleted and no longer used.
//
// A pod uses a claim from the moment it has a node until it has ended or is gone. Before a
// finalizer is taken away by a cache that knows no such pod, the write carries the resourceVersion
// that was read; a pod that the cache has not seen yet keeps waiting for its claim, as in
// Kubernetes.
#pragma once

#include "control/client/controller.h"

namespace minik::control {

inline constexpr std::string_view kClaimProtection = "kubernetes.io/pvc-protection";
inline constexpr std::string_view kVolumeProtection = "kubernetes.io/pv-protection";

ControllerSpec claim_protection_controller();
ControllerSpec volume_protection_controller();

}  // namespace minik::control
