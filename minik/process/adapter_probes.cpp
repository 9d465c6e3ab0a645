// How ContainerAdapter looks into sandboxes: commands that end, HTTP, gRPC and TCP probes.
#include "minik/process/container_adapter.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "control/base/text.h"
#include "minik/net/blocking_stream.h"
#include "minik/process/grpc_probe.h"
#include "minik/process/http_probe.h"

namespace minik {

namespace {

constexpr size_t kExecOutputMax = 64 * 1024;

// Reads until both ends are closed or the time is over; bounded output.
bool drain(int out, int err, const Deadline& deadline, control::ExecResult& result) {
  bool open[2] = {true, true};
  while (open[0] || open[1]) {
    pollfd fds[2] = {{open[0] ? out : -1, POLLIN, 0}, {open[1] ? err : -1, POLLIN, 0}};
    if (!deadline.wait(fds)) return false;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = read(fds[i].fd, buffer, sizeof buffer);
      if (n <= 0) open[i] = false;
      std::string& text = i == 0 ? result.out : result.err;
      if (n > 0 && text.size() < kExecOutputMax) text.append(buffer, static_cast<size_t>(n));
    }
  }
  return true;
}

Error timed_out(const std::vector<std::string>& command, Duration timeout) {
  return Error(ErrorCode::kTimeout,
               cat("command timed out: ", minik::quoted(join(command, " ")), " timed out after ", format_duration(timeout)));
}

ProbeDial dial_into(PodNetworkPort* network) {
  return [network](const std::string& address, int port, const Deadline& deadline) -> Result<UniqueFd> {
    if (!network) return Error(ErrorCode::kServiceUnavailable, "this node has no pod network");
    return network->connect(address, port, deadline);
  };
}

}  // namespace

// Each deadline begins when the call is made: time in the queue is time of the probe, and of the grace.

void ContainerAdapter::exec_sync(const std::string& id, std::vector<std::string> command,
                                 Duration timeout, Done<control::ExecResult> done) {
  run_on<control::ExecResult>(
      probes_,
      [this, id, command = std::move(command), timeout, deadline = Deadline(timeout, closing_.get())]() -> Result<control::ExecResult> {
        if (deadline.left_ms() == 0) return timed_out(command, timeout);
        int out[2], err[2];
        if (pipe2(out, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
        UniqueFd out_read(out[0]), out_write(out[1]);
        if (pipe2(err, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
        UniqueFd err_read(err[0]), err_write(err[1]);
        UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        MINIK_ASSIGN(const auto session, engine_->exec(id, command, false, null.get(),
                                                       out_write.get(), err_write.get()));
        UniqueFd connection(session.connection);
        out_write.reset();
        err_write.reset();
        control::ExecResult result;
        pollfd ended[] = {{connection.get(), POLLIN, 0}};
        if (!drain(out_read.get(), err_read.get(), deadline, result) || !deadline.wait(ended)) {
          // Closing the connection kills what runs.
          return timed_out(command, timeout);
        }
        MINIK_ASSIGN(result.exit_code, runtime::Engine::wait_exec(session));
        return result;
      },
      std::move(done));
}

void ContainerAdapter::http_get(const std::string& sandbox_id, control::HttpProbe probe, Duration timeout,
                                Done<control::HttpAnswer> done) {
  run_on<control::HttpAnswer>(
      probes_,
      [this, sandbox_id, probe = std::move(probe), deadline = Deadline(timeout, closing_.get())] {
        return probe_http(probe, sandbox_address(sandbox_id), deadline, dial_into(network_));
      },
      std::move(done));
}

void ContainerAdapter::grpc_check(const std::string& sandbox_id, control::GrpcProbe probe, Duration timeout, Done<Unit> done) {
  run_on<Unit>(
      probes_,
      [this, sandbox_id, probe = std::move(probe), timeout, deadline = Deadline(timeout, closing_.get())]() -> Result<Unit> {
        MINIK_TRY(probe_grpc(probe, sandbox_address(sandbox_id), timeout, deadline, dial_into(network_)));
        return Unit{};
      },
      std::move(done));
}

void ContainerAdapter::tcp_connect(const std::string& sandbox_id, const std::string& host, int port,
                                   Duration timeout, Done<Unit> done) {
  run_on<Unit>(
      probes_,
      [this, sandbox_id, host, port, deadline = Deadline(timeout, closing_.get())]() -> Result<Unit> {
        const std::string address = host.empty() ? sandbox_address(sandbox_id) : host;
        MINIK_ASSIGN(const auto socket, dial_into(network_)(address, port, deadline));
        return Unit{};
      },
      std::move(done));
}

}  // namespace minik
