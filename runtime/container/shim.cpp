#include "runtime/container/shim.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <memory>
#include <optional>
#include <utility>

#include "control/base/text.h"
#include "control/base/time.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/codec.h"
#include "runtime/container/files.h"
#include "runtime/container/log_writer.h"
#include "runtime/container/output_relay.h"
#include "runtime/container/process.h"
#include "runtime/container/program.h"
#include "runtime/container/root_filesystem.h"
#include "runtime/container/sandbox_namespaces.h"
#include "runtime/container/shim_protocol.h"
#include "runtime/container/spec.h"
#include "runtime/container/terminal.h"

namespace minik::runtime {

namespace {

constexpr std::string_view kShimArgument = "container-shim";

std::string message_of(ShimMessage kind) { return std::move(Writer().put(static_cast<int64_t>(kind))).take(); }
std::string message_of(ShimMessage kind, int64_t number) {
  return std::move(Writer().put(static_cast<int64_t>(kind)).put(number)).take();
}
std::string message_of(ShimMessage kind, std::string_view text) {
  return std::move(Writer().put(static_cast<int64_t>(kind)).put(text)).take();
}

// Ends the child with its error on the pipe; the parent turns it into the handshake's answer.
[[noreturn]] void fail_child(int pipe, const Error& error) {
  (void)!write(pipe, error.message.data(), error.message.size());
  _exit(128);
}

// A guest who takes nothing for so long after the container's end misses the rest.
constexpr Duration kFarewell = minutes(10);

Duration monotonic() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return seconds(now.tv_sec) + nanoseconds(now.tv_nsec);
}

std::string exit_record(int code, int signal_number, int64_t finished_ns, bool out_of_memory) {
  return std::move(Writer()
                       .put(static_cast<int64_t>(ShimMessage::kExit))
                       .put(int64_t{code})
                       .put(int64_t{signal_number})
                       .put(finished_ns)
                       .put(int64_t{out_of_memory}))
      .take();
}

struct ExecRun {
  int connection;     // -1 when nobody waits any more
  pid_t pid;
  int errors;         // until its program runs or has failed to; then -1
  std::string error;  // what came by it
  Duration deadline;  // for the program to run, by the monotonic clock
};

class Shim {
 public:
  explicit Shim(std::string directory) : directory_(std::move(directory)) {}

  int run() {
    auto started = start();
    std::string answer = started.ok() ? message_of(ShimMessage::kStarted, int64_t{child_})
                                      : message_of(ShimMessage::kError, started.error().message);
    (void)!write(kHandshakeFd, answer.data(), answer.size());
    close(kHandshakeFd);
    if (!started.ok()) return 1;
    serve();
    return 0;
  }

 private:
  Status start() {
    fcntl(kHandshakeFd, F_SETFD, FD_CLOEXEC);  // whoever waits for its end must not wait for the container
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    prctl(PR_SET_NAME, "minik-shim", 0, 0, 0);
    // Its children stand in the container for a moment before they become its programs: nothing in there
    // may look into them, or reach this binary through them.
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    MINIK_ASSIGN(const auto bytes, read_whole_file(directory_ + "/spec"));
    MINIK_ASSIGN(spec_, decode_spec(bytes));
    if (spec_.stdin_open) {
      for (auto* relay : {&output_, &errors_}) relay->expect_guest();
    }
    sigset_t children;
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    sigprocmask(SIG_BLOCK, &children, nullptr);
    signal(SIGPIPE, SIG_IGN);
    signals_ = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    MINIK_ASSIGN(listener_, listen_at(directory_ + "/shim.sock"));
    const size_t slash = spec_.log_path.rfind('/');
    if (!spec_.log_path.empty()) {
      MINIK_TRY(make_directories(spec_.log_path.substr(0, slash)));
      log_ = std::make_unique<LogWriter>(spec_.log_path);
    }
    MINIK_TRY(reserve_file(directory_ + "/exit", exit_record(0, 0, 0, false).size()));
    MINIK_TRY(set_up_cgroup());
    MINIK_TRY(join_namespace(spec_.namespace_directory + "/ipc", CLONE_NEWIPC));
    MINIK_TRY(join_namespace(spec_.namespace_directory + "/uts", CLONE_NEWUTS));
    MINIK_TRY(join_namespace(spec_.namespace_directory + "/net", CLONE_NEWNET));
    if (!spec_.pid_namespace.empty()) {
      MINIK_TRY(join_namespace(spec_.pid_namespace, CLONE_NEWPID));
    } else if (!spec_.host_pid && unshare(CLONE_NEWPID) != 0) return error_from_errno(errno, "new PID namespace");
    return spawn_init();
  }

  Status set_up_cgroup() {
    cgroup_ = std::make_unique<Cgroup>(Cgroup::kDefaultRoot, spec_.cgroup);
    MINIK_TRY(cgroup_->create());
    // What the machine lacks was reported when the engine was opened; it does not stop a container.
    MINIK_ASSIGN(const auto missing, cgroup_->set({spec_.memory_limit_bytes, spec_.cpu_shares, spec_.cpu_quota_us,
                                                   spec_.cpu_period_us, spec_.pids_limit}));
    (void)missing;
    // Where that fails, mounts without device nodes and a filter for making them stand in.
    spec_.devices_confined = !spec_.privileged && cgroup_->confine_devices().ok();
    return {};
  }

  Status spawn_init() {
    int errors[2], go[2], in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, terminal[2] = {-1, -1};
    if (pipe2(errors, O_CLOEXEC) != 0 || pipe2(go, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
    if (spec_.terminal) {
      // The terminal is the container's own, so the child opens it and hands the master over.
      if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, terminal) != 0) return error_from_errno(errno, "socket pair");
    } else if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0 || pipe2(in, O_CLOEXEC) != 0) {
      return error_from_errno(errno, "pipe");
    }
    child_ = fork();
    if (child_ < 0) return error_from_errno(errno, "fork");
    if (child_ == 0) {
      close(errors[0]);
      close(go[1]);
      char byte = 0;
      if (read(go[0], &byte, 1) != 1) _exit(128);  // until the parent has put us into the cgroup
      init_process(errors[1], in[0], out[1], err[1], terminal[1]);
    }
    close(errors[1]);
    close(go[0]);
    for (const int fd : {in[0], out[1], err[1], terminal[1]}) {
      if (fd >= 0) close(fd);
    }
    auto placed = cgroup_->add(child_);
    (void)write_kernel_file(cat("/proc/", child_, "/oom_score_adj"), cat(spec_.oom_score_adj)).ok();
    if (!placed.ok()) {
      kill(child_, SIGKILL);
      return placed;
    }
    (void)!write(go[1], "g", 1);
    close(go[1]);
    if (spec_.terminal) receive_terminal(terminal[0]);
    std::string text;
    char buffer[4096];
    ssize_t n = 0;
    while ((n = read(errors[0], buffer, sizeof buffer)) > 0) text.append(buffer, static_cast<size_t>(n));
    close(errors[0]);
    if (!text.empty()) {
      waitpid(child_, nullptr, 0);
      return Error(ErrorCode::kInvalid, text);
    }
    stdin_ = spec_.terminal ? -1 : in[1];
    if (!spec_.terminal && !spec_.stdin_open) {
      close(stdin_);
      stdin_ = -1;
    }
    if (stdin_ >= 0) fcntl(stdin_, F_SETFL, O_NONBLOCK);
    if (!spec_.terminal) {
      output_.open(out[0]);
      errors_.open(err[0]);
    } else if (terminal_ >= 0) {
      output_.open(fcntl(terminal_, F_DUPFD_CLOEXEC, 0));  // input goes on when output has ended
    }
    return {};
  }

  // Nothing comes when the child fails before: it says why by its other pipe.
  void receive_terminal(int socket) {
    std::vector<int> descriptors;
    const auto received = receive_message(socket, &descriptors);
    close(socket);
    if (received && descriptors.size() == 1) terminal_ = descriptors[0];
    if (terminal_ >= 0) fcntl(terminal_, F_SETFD, FD_CLOEXEC);
  }

  Result<int> open_own_terminal(int hand_over) {
    MINIK_ASSIGN(const auto terminal, open_terminal("/"));
    MINIK_TRY(send_message(hand_over, "terminal", {terminal.master}));
    close(terminal.master);
    ioctl(terminal.slave, TIOCSCTTY, 0);
    return terminal.slave;
  }

  [[noreturn]] void init_process(int errors, int in, int out, int err, int hand_over) {
    setsid();
    if (!spec_.terminal && !spec_.stdin_open) in = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNS | CLONE_NEWCGROUP) != 0 && unshare(CLONE_NEWNS) != 0) {
      fail_child(errors, error_from_errno(errno, "new mount namespace"));
    }
    if (auto status = enter_root_filesystem(spec_, directory_); !status.ok()) fail_child(errors, status.error());
    if (spec_.terminal) {
      const auto slave = open_own_terminal(hand_over);
      if (!slave) fail_child(errors, slave.error());
      in = out = err = *slave;
    }
    dup2(in, 0);
    dup2(out, 1);
    dup2(err, 2);
    fail_child(errors, execute(spec_, spec_.args, spec_.env));
  }

  // --- serving ---

  void serve() {
    while (!done_ || output_.delivers() || errors_.delivers()) {
      // What may open descriptors comes last: none gets the number of one that was closed before in the same turn.
      std::vector<pollfd> polled{{signals_, POLLIN, 0}};
      for (const auto& run : execs_) polled.push_back({run.errors, POLLIN, 0});
      // More input is taken only when the container has taken what there is.
      if (pending_input_.empty()) {
        for (const int fd : attached_in_) polled.push_back({fd, POLLIN, 0});
      }
      output_.add_polled(polled);
      errors_.add_polled(polled);
      for (const int fd : connections_) polled.push_back({fd, POLLIN, 0});
      polled.push_back({accepts_ ? listener_ : -1, POLLIN, 0});
      const int input = spec_.terminal ? terminal_ : stdin_;
      const int writable = pending_input_.empty() ? -1 : input;
      const size_t input_at = polled.size();
      polled.push_back({writable, POLLOUT, 0});
      const int ready = poll(polled.data(), polled.size(), patience_ms());
      end_late_execs();
      if (ready < 0) continue;
      if (ready == 0 && done_) return;  // whoever is still attached does not read
      if (polled[input_at].revents != 0) pour_input();
      polled.resize(input_at);
      for (const auto& p : polled) {
        if (p.revents != 0) dispatch(p);
      }
    }
  }

  void dispatch(const pollfd& p) {
    if (p.fd == signals_) return reap();
    if (p.fd == listener_) return accept_connection();
    if (output_.handle(p, log_.get()) || errors_.handle(p, log_.get())) return;
    if (std::ranges::find(attached_in_, p.fd) != attached_in_.end()) return feed_stdin(p.fd);
    const auto run = std::ranges::find(execs_, p.fd, &ExecRun::errors);
    if (run != execs_.end()) return hear_start(*run);
    if (std::ranges::find(connections_, p.fd) != connections_.end()) handle(p.fd);
  }

  // Until an exec has had its time, or a guest that does not read has had his; -1 for ever.
  int patience_ms() const {
    std::optional<Duration> first;
    for (const auto& run : execs_) {
      if (run.errors >= 0) first = std::min(first.value_or(run.deadline), run.deadline);
    }
    if (!first) return done_ ? static_cast<int>(kFarewell.milliseconds()) : -1;
    return static_cast<int>(std::max(*first - monotonic(), Duration{}).milliseconds()) + 1;
  }

  void accept_connection() {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) connections_.push_back(fd);
    // Out of descriptors: there is room again when one of the connections has gone.
    if (fd < 0 && errno == EMFILE) accepts_ = false;
  }

  void drop(int connection) {
    for (auto& run : execs_) {
      if (run.connection != connection) continue;
      kill(-run.pid, SIGKILL);  // nobody waits for it any more
      kill(run.pid, SIGKILL);
      run.connection = -1;
    }
    std::erase(waiting_, connection);
    std::erase(connections_, connection);
    close(connection);
    accepts_ = true;
  }

  void feed_stdin(int fd) {
    char buffer[32768];
    const ssize_t n = read(fd, buffer, sizeof buffer);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n > 0 && (spec_.terminal ? terminal_ : stdin_) >= 0) {
      pending_input_.append(buffer, static_cast<size_t>(n));
      pour_input();
      return;
    }
    std::erase(attached_in_, fd);
    close(fd);
    if (spec_.stdin_once && !spec_.terminal) close_input();
  }

  // As much as the container takes now. A reader that never comes must not hold up the shim.
  void pour_input() {
    const int target = spec_.terminal ? terminal_ : stdin_;
    const ssize_t n = write(target, pending_input_.data(), pending_input_.size());
    if (n > 0) {
      pending_input_.erase(0, static_cast<size_t>(n));
    } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
      pending_input_.clear();
      if (!spec_.terminal) close_input();  // the container has closed its end
    }
  }

  void close_input() {
    if (stdin_ >= 0) close(stdin_);
    stdin_ = -1;
  }

  void handle(int connection) {
    std::vector<int> descriptors;
    auto received = receive_message(connection, &descriptors);
    if (!received || received->empty()) {
      drop(connection);
      return;
    }
    Reader reader(*received);
    const auto kind = static_cast<ShimMessage>(reader.number());
    switch (kind) {
      case ShimMessage::kWait:
        waiting_.push_back(connection);
        if (done_) reply(connection, record_);
        break;
      case ShimMessage::kSignal: {
        const int n = static_cast<int>(reader.number());
        const bool sent = child_ > 0 && kill(child_, n) == 0;
        if (n == SIGKILL) cgroup_->kill();
        reply(connection, sent ? message_of(ShimMessage::kOk) : message_of(ShimMessage::kError, "the container has ended"));
        break;
      }
      case ShimMessage::kResize: {
        winsize size{};
        size.ws_row = static_cast<unsigned short>(reader.number());
        size.ws_col = static_cast<unsigned short>(reader.number());
        const bool set = terminal_ >= 0 && ioctl(terminal_, TIOCSWINSZ, &size) == 0;
        reply(connection, set ? message_of(ShimMessage::kOk) : message_of(ShimMessage::kError, "no terminal"));
        break;
      }
      case ShimMessage::kAttach: attach(connection, reader.flag(), descriptors); break;
      case ShimMessage::kExec: execute_in(connection, reader, descriptors); break;
      default: drop(connection);
    }
    if (kind != ShimMessage::kAttach) {
      for (const int fd : descriptors) close(fd);
    }
  }

  void reply(int connection, const std::string& bytes) { (void)send_message(connection, bytes).ok(); }

  void attach(int connection, bool with_stdin, const std::vector<int>& descriptors) {
    size_t next = 0;
    bool taken = true;
    if (with_stdin && next < descriptors.size()) {
      taken = attached_in_.size() < OutputRelay::kGuestsMax;
      if (taken) attached_in_.push_back(descriptors[next]);
      if (!taken) close(descriptors[next]);
      ++next;
    }
    for (auto* relay : {&output_, &errors_}) {
      if (next >= descriptors.size()) break;
      const int fd = descriptors[next++];
      if (relay->attach(fd)) continue;
      close(fd);
      taken = false;
    }
    constexpr std::string_view kFull = "too many are attached to the container";
    reply(connection, taken ? message_of(ShimMessage::kOk) : message_of(ShimMessage::kError, kFull));
  }

  void execute_in(int connection, Reader& reader, const std::vector<int>& descriptors) {
    ExecSpec exec;
    exec.args = reader.texts();
    exec.env = reader.texts();
    exec.terminal = reader.flag();
    if (!reader.finished() || descriptors.size() != 3) {
      reply(connection, message_of(ShimMessage::kError, "a damaged exec request"));
      return;
    }
    if (child_ < 0) {
      reply(connection, message_of(ShimMessage::kError, "the container has ended"));
      return;
    }
    int errors[2];
    if (pipe2(errors, O_CLOEXEC) != 0) {
      reply(connection, message_of(ShimMessage::kError, error_from_errno(errno, "pipe").message));
      return;
    }
    const pid_t pid = fork();
    if (pid == 0) {
      close(errors[0]);
      exec_process(exec, descriptors, errors[1]);
    }
    close(errors[1]);
    if (pid < 0) {
      close(errors[0]);
      reply(connection, message_of(ShimMessage::kError, "fork: no more processes"));
      return;
    }
    fcntl(errors[0], F_SETFL, O_NONBLOCK);
    execs_.push_back({connection, pid, errors[0], {}, monotonic() + kExecStartLimit});
  }

  // An exec's pipe: its end says that the program runs, and what comes before why it does not. The container's
  // files may hold the start up for as long as they like, so nobody waits for it.
  void hear_start(ExecRun& run) {
    char buffer[4096];
    ssize_t n = 0;
    while ((n = read(run.errors, buffer, sizeof buffer)) > 0) run.error.append(buffer, static_cast<size_t>(n));
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close(std::exchange(run.errors, -1));
    if (run.error.empty()) {
      tell(run, message_of(ShimMessage::kStarted, int64_t{run.pid}));
    } else {
      tell(run, message_of(ShimMessage::kError, run.error));
      run.connection = -1;
    }
  }

  void end_late_execs() {
    for (auto& run : execs_) {
      if (run.errors < 0 || monotonic() < run.deadline) continue;
      kill(-run.pid, SIGKILL);
      kill(run.pid, SIGKILL);
      const std::string why = cat("exec: the program did not start within ", format_duration(kExecStartLimit));
      tell(run, message_of(ShimMessage::kError, why));
      run.connection = -1;
      close(std::exchange(run.errors, -1));
    }
  }

  void tell(const ExecRun& run, const std::string& bytes) {
    if (run.connection >= 0) reply(run.connection, bytes);
  }

  // Joins the container: its mounts, its cgroup, its limits. As the shim's child it is in the container's
  // PID namespace already, and the shim itself is in the sandbox's other namespaces.
  [[noreturn]] void exec_process(const ExecSpec& exec, const std::vector<int>& descriptors, int errors) {
    if (auto placed = cgroup_->add(0); !placed.ok()) fail_child(errors, placed.error());
    (void)write_kernel_file("/proc/self/oom_score_adj", cat(spec_.oom_score_adj)).ok();
    (void)join_namespace(cat("/proc/", child_, "/ns/cgroup"), CLONE_NEWCGROUP).ok();  // a kernel may have none
    if (auto status = join_namespace(cat("/proc/", child_, "/ns/mnt"), CLONE_NEWNS); !status.ok()) {
      fail_child(errors, status.error());
    }
    setsid();
    if (exec.terminal) ioctl(descriptors[0], TIOCSCTTY, 0);
    for (int i = 0; i < 3; ++i) dup2(descriptors[static_cast<size_t>(i)], i);
    ContainerSpec spec = spec_;
    spec.terminal = exec.terminal;
    std::vector<std::string> env = spec.env;
    env.insert(env.end(), exec.env.begin(), exec.env.end());
    fail_child(errors, execute(spec, exec.args, std::move(env)));
  }

  void reap() {
    signalfd_siginfo info;
    while (read(signals_, &info, sizeof info) == sizeof info) {
    }
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
      if (pid == child_) {
        finish(code, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        continue;
      }
      for (auto run = execs_.begin(); run != execs_.end(); ++run) {
        if (run->pid != pid) continue;
        if (run->errors >= 0) hear_start(*run);  // all that it said is there
        if (run->errors >= 0) close(run->errors);
        tell(*run, message_of(ShimMessage::kExit, int64_t{code}));
        execs_.erase(run);
        break;
      }
    }
  }

  void finish(int code, int signal_number) {
    child_ = -1;
    output_.read_rest(log_.get());
    errors_.read_rest(log_.get());
    log_.reset();
    cgroup_->kill();
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    const bool out_of_memory = code == 137 && cgroup_->oom_kills() > 0;
    record_ = exit_record(code, signal_number, now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec, out_of_memory);
    (void)write_reserved_file(directory_ + "/exit", record_).ok();  // and told to whoever waits
    for (const int connection : waiting_) reply(connection, record_);
    done_ = true;
  }

  std::string directory_;
  ContainerSpec spec_;
  std::unique_ptr<Cgroup> cgroup_;
  std::unique_ptr<LogWriter> log_;
  pid_t child_ = -1;
  int signals_ = -1, listener_ = -1, terminal_ = -1, stdin_ = -1;
  OutputRelay output_{false}, errors_{true};
  std::vector<int> connections_, waiting_, attached_in_;
  bool accepts_ = true;  // there are descriptors left
  std::string pending_input_;  // at most what one read gave
  std::list<ExecRun> execs_;
  bool done_ = false;   // the container has ended; what is left is for those who are attached
  std::string record_;  // of its end
};

}  // namespace

bool is_shim_invocation(int argc, char** argv) { return argc == 3 && argv[1] == kShimArgument; }

int shim_main(int, char** argv) {
  // Once more in a child of init's, so that whoever started us need not wait for us.
  if (fork() > 0) _exit(0);
  setsid();
  umask(022);  // what it makes is for its container's users, whatever the daemon's user keeps to himself
  return Shim(argv[2]).run();
}

}  // namespace minik::runtime
