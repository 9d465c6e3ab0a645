// exec and attach over the network: pumps a client's terminal to the descriptors of a process and
// back.
//
//   kubectl 1.30+  WebSocket, v5.channel.k8s.io (and v4, base64, and the nameless first version)
//   older kubectl  SPDY/3.1 on the bare connection, X-Stream-Protocol-Version v4 … v1
//
//   client --stdin, resize--> | ExecChannels |--> ExecIo.stdin_fd, resize()
//          <--stdout, stderr- |  (one loop)  |<-- ExecIo.stdout_fd, stderr_fd
//          <--Status -------- |              |<-- on_exit
//
// serve_remote_command() answers the request: with an error for a bad handshake, else by upgrading
// it; then it asks `start` for the process. Everything runs on the connection's loop, without
// blocking; memory is bounded by pausing whoever is ahead (the process' output, or the client's
// input). After the process' end its output is read to the last byte it wrote, then the Status is
// sent and the connection ends. A client that goes makes close() be called; what that does to the
// process is its owner's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "control/base/result.h"
#include "minik/net/http_message.h"
#include "minik/net/responder.h"
#include "minik/net/unique_fd.h"

namespace minik {

struct RemoteCommandOptions {
  bool stdin_open = false;
  bool stdout_open = false;
  bool stderr_open = false;
  bool tty = false;

  // Query parameters stdin, stdout, stderr and tty, as kubectl sends them ("true" or "1").
  // kBadRequest when none of the three streams is wanted; with a tty, stderr comes with stdout.
  static Result<RemoteCommandOptions> from_query(std::string_view query);
  static Result<RemoteCommandOptions> from_parameters(
      const std::vector<std::pair<std::string, std::string>>& parameters);
};

struct ExecExit {
  int exit_code = 0;
  std::string failure = {};  // not empty: it did not run to an end of its own, and why
};

// What a process is reached by. Descriptors that a process does not have stay empty; with a
// terminal only pty_fd is set and carries both directions.
struct ExecIo {
  UniqueFd stdin_fd;
  UniqueFd stdout_fd;
  UniqueFd stderr_fd;
  UniqueFd pty_fd;
  // Called on the connection's loop.
  std::function<void(uint16_t rows, uint16_t columns)> resize;
  // Takes who is to be told of the end, once, from any thread.
  std::function<void(std::function<void(ExecExit)>)> on_exit;
  // Called once on the loop when the session is over, whoever ended it.
  std::function<void()> close;
};

// Starts the process when the client's streams stand; called on the loop, answers from any thread.
// An error reaches the client as the Status of the command.
using ExecStart = std::function<void(std::function<void(Result<ExecIo>)> started)>;

void serve_remote_command(const HttpRequest& request, const Responder& responder,
                          const RemoteCommandOptions& options, ExecStart start);

}  // namespace minik
