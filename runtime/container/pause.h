// The pause process: the first in a PID namespace that the containers of a pod share. It does nothing but take in what
// they leave behind, and the namespace lasts as long as it does.
//
//   minik pod-pause make <sandbox directory> <cgroup>  -> joins the sandbox's namespaces, PID 1 of a new one
//      `-> minik pod-pause stay …                      -> empty root, no privilege, waits for its end
//
// The pod's containers can look at it, so there is nothing to be found: its root and its arguments are empty, its program
// runs from a read-only mount (program.h), and its other namespaces are the pod's. Should somebody take it over, it is as
// confined as a container without capabilities, and alone in its group (pids.max 1). It outlives minik as shims do; the pid
// is in <sandbox directory>/pause, trusted only while the process there is in the namespace that <sandbox directory>/ns/pid
// keeps.
//
// main() must ask is_pause_invocation() before anything else happens in the process.
#pragma once

#include <string>

#include "control/base/result.h"
#include "runtime/container/program.h"

namespace minik::runtime {

bool is_pause_invocation(int argc, char** argv);
int pause_main(int argc, char** argv);

// Blocking, for the engine. The sandbox's other namespaces must be there.
Status start_pause(const std::string& sandbox_directory, const std::string& cgroup, const OwnProgram& program);
// Whether the sandbox has a shared PID namespace, and whether somebody still keeps it alive.
bool shares_processes(const std::string& sandbox_directory);
bool pause_lives(const std::string& sandbox_directory);
// Where somebody has killed it, and the pod's containers with it, those to come get a namespace of their own again.
Status revive_pause(const std::string& sandbox_directory, const std::string& cgroup, const OwnProgram& program);
// Ends everything in the namespace; nothing where there is none.
void stop_pause(const std::string& sandbox_directory);

}  // namespace minik::runtime
