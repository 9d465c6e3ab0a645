// PodStreams: what a node does for a client's connection to a running pod: exec, attach,
// port-forward and logs. The process implements it over the container runtime; ApiFront calls it
// after the API server has authorized the request and found the pod.
//
// The four methods run on the control thread and answer at once: an error is the HTTP answer (a
// container that does not run, a log that is not there), a success is the function that the I/O
// thread of the connection runs next, without further reads of cluster state. What those functions
// reach must therefore be safe to use from an I/O thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/api/api_server.h"
#include "control/base/result.h"
#include "control/base/time.h"
#include "minik/net/port_forward.h"
#include "minik/net/remote_command.h"
#include "minik/net/responder.h"

namespace minik {

struct PodExecRequest {
  control::ConnectTarget target;
  std::string container;  // one of the pod's, chosen by default where the client named none
  std::vector<std::string> command;  // empty for attach
  RemoteCommandOptions options;
};

struct PodLogRequest {
  control::ConnectTarget target;
  std::string container;
  bool follow = false;
  bool previous = false;
  bool timestamps = false;
  std::optional<int64_t> since_seconds;
  std::optional<WallTime> since_time;
  std::optional<int64_t> tail_lines;
  std::optional<int64_t> limit_bytes;
};

// Writes the log and finishes the stream; a source that is ahead of its reader waits for on_drain.
// `on_close` registers who is told that the reader has gone.
using LogStart =
    std::function<void(std::shared_ptr<ResponseStream> stream, std::function<void(Task)> on_close)>;

class PodStreams {
 public:
  virtual ~PodStreams() = default;
  virtual Result<ExecStart> exec(const PodExecRequest& request) = 0;
  virtual Result<ExecStart> attach(const PodExecRequest& request) = 0;
  virtual Result<ConnectPort> port_forward(const control::ConnectTarget& target) = 0;
  virtual Result<LogStart> log(const PodLogRequest& request) = 0;
};

using QueryParameters = std::vector<std::pair<std::string, std::string>>;

// The container that a request means: the one it names, the pod's only one, or the one of the
// annotation kubectl.kubernetes.io/default-container; else kBadRequest with the choices.
Result<std::string> choose_container(const control::Value& pod, const std::string& name);

// kBadRequest for a number or time that is none.
Result<PodLogRequest> parse_log_request(control::ConnectTarget target,
                                        const QueryParameters& parameters);
Result<PodExecRequest> parse_exec_request(control::ConnectTarget target,
                                          const QueryParameters& parameters);

}  // namespace minik
