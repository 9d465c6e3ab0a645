// The GET of a probe or a lifecycle hook, as a kubelet makes it: certificates are not checked, no credentials, no proxy;
// redirects are followed while they stay with the host that was named, ten of them.
//
// Blocking, for a worker thread; the deadline is that of the whole exchange, redirects included, and ends it early when its
// `stop` is readable. Not covered is the look-up of a host that is a name and no address: there the machine's resolver has
// its own time-outs, and the end of the process waits for them. Errors are in the words of Go's client
// (`Get "https://10.244.0.5:8443/healthz": …`), which are those of an Event `Unhealthy`. A server that answers HTTPS in
// plain HTTP is kBadRequest.
#pragma once

#include <functional>
#include <string>

#include "control/base/result.h"
#include "control/kubelet/container_runtime.h"
#include "minik/net/blocking_stream.h"
#include "minik/net/unique_fd.h"

namespace minik {

// A connected socket to an address of the pods' network.
using ProbeDial = std::function<Result<UniqueFd>(const std::string& address, int port, const Deadline& deadline)>;

Result<control::HttpAnswer> probe_http(const control::HttpProbe& probe, const std::string& pod_address, const Deadline& deadline,
                                       const ProbeDial& dial);

}  // namespace minik
