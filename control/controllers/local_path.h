// The provisioner rancher.io/local-path: a directory of a node for each claim of its classes. The
// name is the one that k3s and kind users have in their charts; the class `standard` that every
// cluster has from the start names it.
//
// Here is only the API's side: the PersistentVolume pvc-<uid> with its hostPath below the volume
// root, bound to the node by node affinity. The name comes from the claim's uid, so a repeated
// decision makes nothing twice. The node makes the directory at the first mount, and deletes it,
// with its volume, when that was released under the policy Delete (volume_cleaner.h).
// A directory has no size of its own, so growing a claim changes what is said and nothing else.
//
// Refused with ProvisioningFailed: block volumes, access from several nodes, selectors, data sources, attributes.
#pragma once

#include <string>

#include "control/client/controller.h"

namespace minik::control {

ControllerSpec local_path_provisioner(std::string volume_root);

}  // namespace minik::control
