#include "minik/process/node_streams.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <mutex>

#include "control/base/text.h"
#include "minik/net/blocking_stream.h"
#include "runtime/container/log_reader.h"

namespace minik {

namespace {

constexpr Duration kFollowPoll = milliseconds(100);
constexpr size_t kLogChunk = 256 * 1024;
constexpr Duration kConnectTimeout = seconds(10);

// The ends that the process gets, and those that we pump.
struct Stdio {
  UniqueFd in, out, err;
  ExecIo io;
};

Result<Stdio> make_terminal(const runtime::Engine& engine, const std::string& id) {
  MINIK_ASSIGN(const auto terminal, engine.open_terminal(id));
  Stdio stdio;
  fcntl(terminal.master, F_SETFL, O_NONBLOCK);
  stdio.io.pty_fd = UniqueFd(terminal.master);
  stdio.in = UniqueFd(terminal.slave);
  stdio.out = UniqueFd(fcntl(terminal.slave, F_DUPFD_CLOEXEC, 0));
  stdio.err = UniqueFd(fcntl(terminal.slave, F_DUPFD_CLOEXEC, 0));
  return stdio;
}

Result<Stdio> make_pipes(const RemoteCommandOptions& options) {
  Stdio stdio;
  const auto pipe_pair = [](UniqueFd& read_end, UniqueFd& write_end) -> Status {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
    read_end = UniqueFd(fds[0]);
    write_end = UniqueFd(fds[1]);
    return {};
  };
  const auto null = [] { return UniqueFd(open("/dev/null", O_RDWR | O_CLOEXEC)); };
  if (options.stdin_open) {
    MINIK_TRY(pipe_pair(stdio.in, stdio.io.stdin_fd));
    fcntl(stdio.io.stdin_fd.get(), F_SETFL, O_NONBLOCK);
  } else {
    stdio.in = null();
  }
  if (options.stdout_open) {
    MINIK_TRY(pipe_pair(stdio.io.stdout_fd, stdio.out));
    fcntl(stdio.io.stdout_fd.get(), F_SETFL, O_NONBLOCK);
  } else {
    stdio.out = null();
  }
  if (options.stderr_open) {
    MINIK_TRY(pipe_pair(stdio.io.stderr_fd, stdio.err));
    fcntl(stdio.io.stderr_fd.get(), F_SETFL, O_NONBLOCK);
  } else {
    stdio.err = null();
  }
  return stdio;
}

std::function<void(uint16_t, uint16_t)> resizer(int master) {
  return [master](uint16_t rows, uint16_t columns) {
    winsize size{};
    size.ws_row = rows;
    size.ws_col = columns;
    ioctl(master, TIOCSWINSZ, &size);
  };
}

void run_exec(const SessionThreads& threads, runtime::Engine& engine, const std::string& id,
              const std::vector<std::string>& command, const RemoteCommandOptions& options,
              const std::function<void(Result<ExecIo>)>& started) {
  auto stdio = options.tty ? make_terminal(engine, id) : make_pipes(options);
  if (!stdio) return started(std::move(stdio).error());
  auto session =
      engine.exec(id, command, options.tty, stdio->in.get(), stdio->out.get(), stdio->err.get());
  if (!session) return started(std::move(session).error());
  stdio->in.reset();
  stdio->out.reset();
  stdio->err.reset();
  // The end and the one who wants to hear of it may come in either order.
  struct Ending {
    std::mutex mutex;
    std::function<void(ExecExit)> listener;
    std::optional<ExecExit> exit;
  };
  auto ending = std::make_shared<Ending>();
  ExecIo io = std::move(stdio->io);
  if (options.tty) io.resize = resizer(io.pty_fd.get());
  io.on_exit = [ending](std::function<void(ExecExit)> listener) {
    const std::lock_guard lock(ending->mutex);
    if (ending->exit) {
      listener(*ending->exit);
    } else {
      ending->listener = std::move(listener);
    }
  };
  const auto connection = std::make_shared<UniqueFd>(session->connection);
  io.close = [connection] {
    shutdown(connection->get(), SHUT_RDWR);
  };  // ends the process if it still runs
  started(std::move(io));
  pollfd ends[] = {{session->connection, POLLIN, 0}, {threads.stop(), POLLIN, 0}};
  while (poll(ends, 2, -1) < 0 && errno == EINTR) {
  }
  if (ends[1].revents != 0) shutdown(connection->get(), SHUT_RDWR);
  const auto code = runtime::Engine::wait_exec(*session);
  ExecExit exit;
  exit.exit_code = code ? *code : 137;
  const std::lock_guard lock(ending->mutex);
  ending->exit = exit;
  if (ending->listener) ending->listener(exit);
}

void run_attach(SessionThreads& threads, runtime::Engine& engine, const std::string& id,
                const RemoteCommandOptions& options, const std::function<void(Result<ExecIo>)>& started) {
  // The container's own terminal, if it has one, is behind the shim.
  RemoteCommandOptions pipes = options;
  pipes.stderr_open = options.stderr_open && !options.tty;
  auto stdio = make_pipes(pipes);
  if (!stdio) return started(std::move(stdio).error());
  const auto attached = engine.attach(id, options.stdin_open ? stdio->in.get() : -1,
                                      stdio->out.get(), pipes.stderr_open ? stdio->err.get() : -1);
  if (!attached.ok()) return started(attached.error());
  ExecIo io = std::move(stdio->io);
  io.resize = [&engine, id](uint16_t rows, uint16_t columns) {
    (void)engine.resize(id, rows, columns).ok();
  };
  auto gone = std::make_shared<std::atomic<bool>>(false);
  io.close = [gone] { *gone = true; };
  io.on_exit = [&threads, &engine, id, gone](std::function<void(ExecExit)> listener) {
    threads.run([&threads, &engine, id, gone, listener = std::move(listener)] {
      while (!*gone) {
        const auto info = engine.container(id);
        if (!info || info->phase == runtime::ContainerPhase::kExited) {
          ExecExit exit;
          exit.exit_code = info ? info->exit_code : 137;
          listener(exit);
          return;
        }
        if (!threads.pause(kFollowPoll)) return;
      }
    });
  };
  started(std::move(io));
}

// Reads in bounded pieces and waits for a reader that lags; polls while it follows.
void send_log(const SessionThreads& threads, runtime::LogReader& reader, runtime::Engine& engine,
              const std::string& id, bool follow, ResponseStream& stream, const std::atomic<bool>& gone) {
  while (!gone) {
    // Asked before reading: what was written before the end is read after it.
    bool running = false;
    if (follow) {
      const auto info = engine.container(id);
      running = info && info->phase == runtime::ContainerPhase::kRunning;
    }
    auto text = reader.read(kLogChunk);
    if (!text) {
      stream.write(text.error().message + "\n");
      break;
    }
    if (!text->empty() && !stream.write(*text)) return;
    if (reader.finished() || (text->empty() && !running)) break;
    if ((text->empty() || stream.backlog() > kLogChunk) && !threads.pause(kFollowPoll)) return;
  }
  stream.finish();
}

}  // namespace

NodeStreams::NodeStreams(SessionThreads& threads, ContainerAdapter& containers, PodNetworkPort* network,
                         FindKubelet kubelet)
    : threads_(threads), containers_(containers), network_(network), kubelet_(std::move(kubelet)) {}

Result<control::ContainerLocation> NodeStreams::locate(const control::ConnectTarget& target,
                                                       const std::string& container,
                                                       bool previous) const {
  const control::Kubelet* kubelet = kubelet_(target.node);
  if (!kubelet)
    return Error(ErrorCode::kServiceUnavailable, cat("node ", target.node, " cannot be reached"));
  return kubelet->locate(target.pod, container, previous);
}

Result<ExecStart> NodeStreams::exec(const PodExecRequest& request) {
  MINIK_ASSIGN(const auto location, locate(request.target, request.container, false));
  runtime::Engine& engine = containers_.engine();
  return ExecStart([&threads = threads_, &engine, id = location.container_id, command = request.command,
                    options = request.options](std::function<void(Result<ExecIo>)> started) {
    // It waits for the end of the process, as a person does.
    threads.run([&threads, &engine, id, command, options, started = std::move(started)] {
      run_exec(threads, engine, id, command, options, started);
    });
  });
}

Result<ExecStart> NodeStreams::attach(const PodExecRequest& request) {
  MINIK_ASSIGN(const auto location, locate(request.target, request.container, false));
  runtime::Engine& engine = containers_.engine();
  return ExecStart([&threads = threads_, &engine, id = location.container_id,
                    options = request.options](std::function<void(Result<ExecIo>)> started) {
    threads.run([&threads, &engine, id, options, started = std::move(started)] {
      run_attach(threads, engine, id, options, started);
    });
  });
}

Result<ConnectPort> NodeStreams::port_forward(const control::ConnectTarget& target) {
  MINIK_ASSIGN(const auto location, locate(target, "", false));
  if (!network_) return Error(ErrorCode::kServiceUnavailable, "this node has no pod network");
  const std::string address = containers_.sandbox_address(location.sandbox_id);
  return ConnectPort([&threads = threads_, network = network_, address](
                         uint16_t port, std::function<void(Result<UniqueFd>)> connected) {
    threads.run([&threads, network, address, port, connected = std::move(connected)] {
      auto socket = network->connect(address, port, Deadline(kConnectTimeout, threads.stop()));
      if (socket) fcntl(socket->get(), F_SETFL, O_NONBLOCK);
      connected(std::move(socket));
    });
  });
}

Result<LogStart> NodeStreams::log(const PodLogRequest& request) {
  MINIK_ASSIGN(const auto location, locate(request.target, request.container, request.previous));
  runtime::LogReadOptions options;
  options.timestamps = request.timestamps;
  options.tail_lines = request.tail_lines;
  options.limit_bytes = request.limit_bytes;
  options.since = request.since_time;
  if (request.since_seconds) {
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    options.since =
        WallTime{now.tv_sec * 1'000'000'000LL + now.tv_nsec} - seconds(*request.since_seconds);
  }
  MINIK_ASSIGN(auto reader, runtime::LogReader::open(location.log_path, options));
  auto shared = std::make_shared<runtime::LogReader>(std::move(reader));
  runtime::Engine& engine = containers_.engine();
  return LogStart(
      [&threads = threads_, shared, &engine, id = location.container_id, follow = request.follow](
          std::shared_ptr<ResponseStream> stream, const std::function<void(Task)>& on_close) {
        auto gone = std::make_shared<std::atomic<bool>>(false);
        on_close([gone] { *gone = true; });
        threads.run([&threads, shared, &engine, id, follow, stream = std::move(stream), gone] {
          send_log(threads, *shared, engine, id, follow, *stream, *gone);
        });
      });
}

}  // namespace minik
