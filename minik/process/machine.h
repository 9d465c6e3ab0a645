// The machine that minik runs on, as its node agent knows it: capacity and nodeInfo at the start, counters
// whenever it is asked. Reads /proc, /etc and sysinfo(2); what cannot be read is left empty or zero.
#pragma once

#include <string>

#include "control/kubelet/kubelet.h"

namespace minik {

// `directory` says which file system the node's ephemeral storage is.
control::KubeletConfig node_config(const std::string& name, const std::string& directory);

// CPU time of everything since boot, and the memory that could not be had without swapping.
control::MachineReading read_machine();

}  // namespace minik
