// A gRPC probe, as a kubelet makes it: without TLS, trying to connect until the timeout is over, in its words.
// Blocking, for a worker thread; the deadline covers everything. `timeout` is the whole of it, for the words: the deadline
// may have begun before. Any failure is an error whose message says which.
#pragma once

#include <string>

#include "control/kubelet/container_runtime.h"
#include "minik/process/http_probe.h"

namespace minik {

Status probe_grpc(const control::GrpcProbe& probe, const std::string& address, Duration timeout, const Deadline& deadline,
                  const ProbeDial& dial);

}  // namespace minik
