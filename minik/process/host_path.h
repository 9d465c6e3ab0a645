// Paths of the machine as hostPath volumes want them: checked by their type, as a kubelet does before it mounts them.
//
// DirectoryOrCreate and FileOrCreate make what is missing. NotFound or Invalid: the path is not what its type says; the message
// names the path. Any thread.
#pragma once

#include "control/kubelet/container_runtime.h"

namespace minik {

Status prepare_host_path(const control::ContainerRuntime::HostPath& wanted);

}  // namespace minik
