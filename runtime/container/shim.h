// The shim: the small single-threaded process beside every container, minik's own binary under a hidden
// first argument. It starts the container's first process, holds its stdio, writes its log, records how
// it ended, and serves the container's socket; so containers outlive a crash of minik.
//
//   minik container-shim <container directory>        (handshake on descriptor 3)
//
// main() must ask is_shim_invocation() before anything else happens in the process.
#pragma once

namespace minik::runtime {

bool is_shim_invocation(int argc, char** argv);
int shim_main(int argc, char** argv);

}  // namespace minik::runtime
