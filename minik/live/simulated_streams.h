// SimulatedStreams: connections to containers that do not exist. Logs say what the container is and what
// became of it, at the virtual times at which it did; a followed log goes on until the container ends.
// exec, attach and port-forward need a program and are refused with that sentence.
//
// Called on the simulation's thread, as PodStreams wants it; what it hands to I/O threads reaches back
// through the gate alone.
#pragma once

#include <functional>

#include "control/base/executor.h"
#include "minik/net/pod_streams.h"

namespace minik {

class SimulatedStreams final : public PodStreams {
 public:
  // `server` is null while there is none; `control` is the simulation's gate. Both outlive every stream.
  SimulatedStreams(Executor& control, std::function<control::ApiServer*()> server)
      : control_(control), server_(std::move(server)) {}

  Result<ExecStart> exec(const PodExecRequest& request) override;
  Result<ExecStart> attach(const PodExecRequest& request) override;
  Result<ConnectPort> port_forward(const control::ConnectTarget& target) override;
  Result<LogStart> log(const PodLogRequest& request) override;

 private:
  Executor& control_;
  std::function<control::ApiServer*()> server_;
};

// The lines of one container's log by what its pod says of it, oldest first; `previous` for the run before.
// kBadRequest with the reason when it has none yet. `ended` tells that no line will follow.
struct SimulatedLog {
  struct Line {
    WallTime at;
    std::string text;
  };
  std::vector<Line> lines;
  bool ended = false;
};
Result<SimulatedLog> simulated_log(const control::Value& pod, const std::string& container, bool previous);

}  // namespace minik
