// How simulated containers answer gRPC probes: as they answer HTTP, in the words of the other client, which keeps
// trying to connect until its time is over.
#include "control/base/text.h"
#include "sim/simulated_runtime.h"

namespace minik::sim {

void SimulatedRuntime::grpc_check(const std::string& sandbox_id, control::GrpcProbe probe, Duration timeout, Done<Unit> done) {
  const auto sandbox = sandboxes_.find(sandbox_id);
  const std::string address = sandbox == sandboxes_.end() || sandbox->second.status.ips.empty() ? "" : sandbox->second.status.ips[0];
  http_get(sandbox_id, {}, timeout, [done = std::move(done), address, port = probe.port, timeout](const Result<control::HttpAnswer>& answer) {
    if (answer) return done(Unit{});
    done(Error(ErrorCode::kTimeout, cat("timeout: failed to connect service ", quoted(cat(address, ":", port)), " within ",
                                        format_duration(timeout), ": context deadline exceeded")));
  });
}

}  // namespace minik::sim
