// How ContainerAdapter looks into sandboxes: commands that end, HTTP and TCP probes.
#include "minik/process/container_adapter.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/base/text.h"

namespace minik {

namespace {

constexpr size_t kExecOutputMax = 64 * 1024;

// Reads until both ends are closed or the time is over; bounded output.
bool drain(int out, int err, Duration timeout, control::ExecResult& result) {
  pollfd fds[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  int open = 2;
  Duration left = timeout;
  while (open > 0) {
    timespec before{}, after{};
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (poll(fds, 2, static_cast<int>(left.milliseconds())) == 0) return false;
    clock_gettime(CLOCK_MONOTONIC, &after);
    left = left - Duration{(after.tv_sec - before.tv_sec) * 1'000'000'000LL + after.tv_nsec -
                           before.tv_nsec};
    if (left <= Duration{}) return false;
    for (int i = 0; i < 2; ++i) {
      if (fds[i].revents == 0) continue;
      char buffer[4096];
      const ssize_t n = read(fds[i].fd, buffer, sizeof buffer);
      if (n <= 0) {
        fds[i].fd = -1;
        --open;
        continue;
      }
      std::string& text = i == 0 ? result.out : result.err;
      if (text.size() < kExecOutputMax) text.append(buffer, static_cast<size_t>(n));
    }
  }
  return true;
}

Result<UniqueFd> connect_to(PodNetworkPort* network, const std::string& address, int port,
                            Duration timeout) {
  if (!network) return Error(ErrorCode::kServiceUnavailable, "this node has no pod network");
  return network->connect(address, port, static_cast<int>(timeout.milliseconds()));
}

}  // namespace

void ContainerAdapter::exec_sync(const std::string& id, std::vector<std::string> command,
                                 Duration timeout, Done<control::ExecResult> done) {
  run<control::ExecResult>(
      [this, id, command = std::move(command), timeout]() -> Result<control::ExecResult> {
        int out[2], err[2];
        if (pipe2(out, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
        if (pipe2(err, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
        UniqueFd out_read(out[0]), out_write(out[1]), err_read(err[0]), err_write(err[1]);
        UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
        MINIK_ASSIGN(const auto session, engine_->exec(id, command, false, null.get(),
                                                       out_write.get(), err_write.get()));
        UniqueFd connection(session.connection);
        out_write.reset();
        err_write.reset();
        control::ExecResult result;
        if (!drain(out_read.get(), err_read.get(), timeout, result)) {
          // Closing the connection kills what runs.
          return Error(ErrorCode::kTimeout, cat("command ", minik::quoted(join(command, " ")),
                                                " timed out after ", format_duration(timeout)));
        }
        MINIK_ASSIGN(result.exit_code, runtime::Engine::wait_exec(session));
        return result;
      },
      std::move(done));
}

void ContainerAdapter::http_get(const std::string& sandbox_id, control::HttpProbe probe,
                                Duration timeout, Done<int> done) {
  run<int>(
      [this, sandbox_id, probe = std::move(probe), timeout]() -> Result<int> {
        if (probe.https)
          return Error(ErrorCode::kBadRequest,
                       "HTTPS probes are not there yet: use HTTP, TCP or exec");
        const std::string host = probe.host.empty() ? sandbox_address(sandbox_id) : probe.host;
        MINIK_ASSIGN(const auto socket, connect_to(network_, host, probe.port, timeout));
        std::string request = cat(
            "GET ", probe.path.empty() ? "/" : probe.path, " HTTP/1.1\r\nHost: ", host, ":",
            probe.port, "\r\nUser-Agent: kube-probe/1.35\r\nAccept: */*\r\nConnection: close\r\n");
        for (const auto& [key, value] : probe.headers) request += cat(key, ": ", value, "\r\n");
        request += "\r\n";
        if (send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) < 0)
          return error_from_errno(errno, "send probe");
        std::string head;
        while (head.find('\n') == std::string::npos && head.size() < 4096) {
          pollfd p{socket.get(), POLLIN, 0};
          if (poll(&p, 1, static_cast<int>(timeout.milliseconds())) <= 0) {
            return Error(ErrorCode::kTimeout,
                         cat("Get \"http://", host, ":", probe.port, probe.path,
                             "\": context deadline exceeded (Client.Timeout exceeded while "
                             "awaiting headers)"));
          }
          char buffer[1024];
          const ssize_t n = recv(socket.get(), buffer, sizeof buffer, 0);
          if (n <= 0) break;
          head.append(buffer, static_cast<size_t>(n));
        }
        const auto words = split(std::string_view(head).substr(0, head.find('\r')), ' ');
        const auto status = words.size() > 1 ? parse_int64(words[1]) : std::nullopt;
        if (!status || !words[0].starts_with("HTTP/"))
          return Error(ErrorCode::kInvalid, "malformed HTTP response");
        return static_cast<int>(*status);
      },
      std::move(done));
}

void ContainerAdapter::tcp_connect(const std::string& sandbox_id, const std::string& host, int port,
                                   Duration timeout, Done<Unit> done) {
  run<Unit>(
      [this, sandbox_id, host, port, timeout]() -> Result<Unit> {
        MINIK_ASSIGN(
            const auto socket,
            connect_to(network_, host.empty() ? sandbox_address(sandbox_id) : host, port, timeout));
        return Unit{};
      },
      std::move(done));
}

}  // namespace minik
