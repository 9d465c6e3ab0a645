// The namespaces that a sandbox's containers share, kept by bind mounts on the files ipc, uts and net in <directory>/ns; and
// pid where they share their processes, for which a pause process runs in <cgroup>/pause (pause.h).
//
// Blocking, for the engine. After a failure something may be left in the directory, which goes with it.
#pragma once

#include <string>

#include "control/base/result.h"
#include "runtime/container/engine.h"

namespace minik::runtime {

// Takes the calling process into the namespace of this type (CLONE_NEWPID and its like) that the file stands for.
Status join_namespace(const std::string& path, int type);

Status make_namespaces(const std::string& sandbox_directory, const SandboxConfig& config, const std::string& cgroup,
                       const OwnProgram& program);

}  // namespace minik::runtime
