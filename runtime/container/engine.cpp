#include "runtime/container/engine.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <utility>

#include "control/base/log.h"
#include "control/base/text.h"
#include "runtime/container/codec.h"
#include "runtime/container/engine_records.h"
#include "runtime/container/files.h"
#include "runtime/container/pause.h"
#include "runtime/container/sandbox_namespaces.h"
#include "runtime/container/shim_protocol.h"

extern char** environ;

namespace minik::runtime {

namespace {

WallTime wall_now() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return {now.tv_sec * 1'000'000'000LL + now.tv_nsec};
}

// Of what is so, whether the disk has room for it or not.
void write_or_warn(const std::string& path, const std::string& bytes) {
  const auto written = write_file_atomically(path, bytes);
  if (!written.ok()) MINIK_LOG(kWarning, "containers", written.error().message);
}

// One request and its answer, with which it takes the limit of the connection at the most.
Status ask(int connection, const std::string& request, const std::vector<int>& descriptors = {}) {
  MINIK_TRY(send_message(connection, request, descriptors));
  MINIK_ASSIGN(const auto answer, receive_message(connection));
  if (answer.empty()) return Error(ErrorCode::kNotFound, "the container has ended");
  Reader reader(answer);
  if (static_cast<ShimMessage>(reader.number()) == ShimMessage::kError) return Error(ErrorCode::kInvalid, reader.text());
  return {};
}

// What a shim that starts says; nothing when it has died, an error when the time is over.
Result<std::string> hear_handshake(int handshake, Duration limit) {
  std::string answer;
  char buffer[4096];
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::nanoseconds(limit.ns);;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    pollfd readable{handshake, POLLIN, 0};
    const int ready = poll(&readable, 1, static_cast<int>(std::max<int64_t>(0, left.count())));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Error(ErrorCode::kTimeout, cat("it did not start within ", format_duration(limit)));
    const ssize_t n = read(handshake, buffer, sizeof buffer);
    if (n <= 0) return answer;
    answer.append(buffer, static_cast<size_t>(n));
  }
}

// Where nothing is asked for the group is left to the first container. What the machine lacks was reported when the
// engine was opened.
Status set_limits_of_all(const Cgroup& group, const CgroupLimits& limits) {
  if (limits.memory_bytes == 0 && limits.cpu_shares == 0 && limits.cpu_quota_us == 0) return {};
  MINIK_TRY(group.create());
  MINIK_TRY(group.set(limits));
  return {};
}

}  // namespace

Engine::Engine(std::string state, std::string cgroup_prefix, ExitListener on_exit, EngineLimits limits)
    : state_(std::move(state)),
      cgroup_prefix_(std::move(cgroup_prefix)),
      on_exit_(std::move(on_exit)),
      limits_(limits) {}

Engine::~Engine() {
  const uint64_t one = 1;
  if (wake_ >= 0) (void)!write(wake_, &one, sizeof one);
  if (poller_.joinable()) poller_.join();
  for (const auto& [fd, id] : watched_) close(fd);
  if (epoll_ >= 0) close(epoll_);
  if (wake_ >= 0) close(wake_);
}

Result<std::unique_ptr<Engine>> Engine::open(std::string state, std::string cgroup_prefix,
                                             ExitListener on_exit, EngineLimits limits) {
  std::unique_ptr<Engine> engine(
      new Engine(std::move(state), std::move(cgroup_prefix), std::move(on_exit), limits));
  MINIK_ASSIGN(engine->program_, OwnProgram::open());
  MINIK_TRY(make_directories(engine->state_ + "/sandboxes", 0700));
  MINIK_TRY(make_directories(engine->state_ + "/containers", 0700));
  engine->epoll_ = epoll_create1(EPOLL_CLOEXEC);
  engine->wake_ = eventfd(0, EFD_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = engine->wake_;
  epoll_ctl(engine->epoll_, EPOLL_CTL_ADD, engine->wake_, &event);
  MINIK_TRY(engine->recover());
  engine->poller_ = std::thread([raw = engine.get()] { raw->poll_exits(); });
  return engine;
}

std::vector<ContainerInfo> Engine::recorded_containers(const std::string& state_directory) {
  std::vector<ContainerInfo> all;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(state_directory + "/containers", error)) {
    const auto bytes = read_whole_file(entry.path().string() + "/meta");
    auto info = bytes ? decode_container(*bytes) : Result<ContainerInfo>(bytes.error());
    if (!info) continue;
    if (access((entry.path().string() + "/exit").c_str(), F_OK) == 0) info->phase = ContainerPhase::kExited;
    all.push_back(*std::move(info));
  }
  return all;
}

Status Engine::recover() {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(state_ + "/sandboxes", error)) {
    const std::string id = entry.path().filename();
    const auto bytes = read_whole_file(entry.path().string() + "/config");
    auto info = bytes ? decode_sandbox(*bytes) : Result<SandboxInfo>(bytes.error());
    if (!info) {
      // Half made: without the pid that it has noted, its pause process is found by the group.
      const Cgroup group(Cgroup::kDefaultRoot, cat(cgroup_prefix_, "/", id));
      group.kill();
      (void)group.remove().ok();
      MINIK_TRY(remove_mounted_tree(entry.path()));
      continue;
    }
    // After a reboot the bound namespaces are plain empty files.
    struct stat ns {
    }, directory{};
    const bool bound = stat((entry.path().string() + "/ns/uts").c_str(), &ns) == 0 &&
                       stat(entry.path().c_str(), &directory) == 0 && ns.st_dev != directory.st_dev;
    info->ready = info->ready && bound && (!shares_processes(entry.path()) || pause_lives(entry.path()));
    sandboxes_[id] = *std::move(info);
  }
  for (const auto& entry : std::filesystem::directory_iterator(state_ + "/containers", error)) {
    MINIK_TRY(recover_container(entry.path().filename()));
  }
  return {};
}

Status Engine::recover_container(const std::string& id) {
  const std::string directory = container_directory(id);
  const auto bytes = read_whole_file(directory + "/meta");
  auto info = bytes ? decode_container(*bytes) : Result<ContainerInfo>(bytes.error());
  if (!info || !sandboxes_.contains(info->sandbox_id)) return remove_mounted_tree(directory);
  const bool has_ended = access((directory + "/exit").c_str(), F_OK) == 0;
  if (info->started.ns == 0) {
    // Killed between the shim's word and our own record of it, or the disk was full: the container runs all the same.
    const auto connection = connect_shim(id);
    if (connection) close(*connection);
    if (connection || has_ended) {
      info->started = wall_now();
      write_or_warn(directory + "/meta", encode(*info));
    }
  }
  if (info->started.ns != 0) {
    const auto connection = connect_shim(id);
    if (connection && !has_ended) {
      info->phase = ContainerPhase::kRunning;
      watch(id, *connection);
    } else {
      if (connection) close(*connection);
      read_exit(*info);
    }
  }
  containers_[id] = *std::move(info);
  return {};
}

std::string Engine::cgroup_of(const ContainerInfo& info) const {
  return cat(cgroup_prefix_, "/", info.sandbox_id, "/", info.id);
}

Result<int> Engine::connect_shim(const std::string& id) const {
  return connect_to(container_directory(id) + "/shim.sock", limits_.answer);
}

// --- exits ---

void Engine::watch(const std::string& id, int connection) {
  const std::string wait = std::move(Writer().put(static_cast<int64_t>(ShimMessage::kWait))).take();
  (void)send_message(connection, wait).ok();  // a failure shows as the end of the connection
  watched_[connection] = id;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = connection;
  epoll_ctl(epoll_, EPOLL_CTL_ADD, connection, &event);
}

void Engine::read_exit(ContainerInfo& info, std::string_view told) const {
  info.phase = ContainerPhase::kExited;
  info.exit_code = 137;
  info.signal = SIGKILL;
  info.finished = wall_now();
  const auto bytes = read_whole_file(container_directory(info.id) + "/exit");
  Reader r(bytes ? std::string_view(*bytes) : told);
  const auto kind = static_cast<ShimMessage>(r.number());
  const auto code = static_cast<int>(r.number());
  const auto signal_number = static_cast<int>(r.number());
  const WallTime finished{r.number()};
  const bool out_of_memory = r.flag();
  if (!r.finished() || kind != ShimMessage::kExit) {
    // The shim is gone without a word, and its container was killed with it.
    Cgroup(Cgroup::kDefaultRoot, cgroup_of(info)).kill();
    return;
  }
  info.exit_code = code;
  info.signal = signal_number;
  info.finished = finished;
  info.out_of_memory = out_of_memory;
}

void Engine::poll_exits() {
  for (;;) {
    epoll_event events[64];
    const int count = epoll_wait(epoll_, events, 64, -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[i].data.fd;
      if (fd == wake_) return;
      // An exit record or the end: both mean that it has ended. The record may be on no disk, where that is full.
      const auto told = receive_message(fd);
      std::string id, sandbox;
      {
        const std::lock_guard lock(mutex_);
        const auto watched = watched_.find(fd);
        if (watched == watched_.end()) continue;
        id = watched->second;
        watched_.erase(watched);
        close(fd);
        const auto found = containers_.find(id);
        if (found == containers_.end()) continue;
        read_exit(found->second, told ? std::string_view(*told) : std::string_view());
        sandbox = found->second.sandbox_id;
      }
      on_exit_(sandbox, id);
    }
  }
}

// --- sandboxes ---

Status Engine::create_sandbox(const SandboxConfig& config) {
  const std::string directory = sandbox_directory(config.id);
  const std::string group = cat(cgroup_prefix_, "/", config.id);
  auto made = make_namespaces(directory, config, group, program_);
  if (made.ok()) made = set_limits_of_all(Cgroup(Cgroup::kDefaultRoot, group), config.limits);
  SandboxInfo info{config, wall_now(), true};
  if (made.ok()) made = write_file_atomically(directory + "/config", encode(info));
  if (!made.ok()) {
    stop_pause(directory);
    (void)Cgroup(Cgroup::kDefaultRoot, group).remove().ok();
    (void)remove_mounted_tree(directory).ok();
    return made;
  }
  const std::lock_guard lock(mutex_);
  sandboxes_[config.id] = std::move(info);
  return {};
}

Status Engine::stop_sandbox(const std::string& id) {
  std::vector<std::string> inside;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sandboxes_.find(id);
    if (found == sandboxes_.end()) return {};
    // Whoever finds the old record finds no namespaces with it. The way to more space may well be this one.
    if (std::exchange(found->second.ready, false)) write_or_warn(sandbox_directory(id) + "/config", encode(found->second));
    for (const auto& [container_id, info] : containers_) {
      if (info.sandbox_id == id && info.phase == ContainerPhase::kRunning)
        inside.push_back(container_id);
    }
  }
  for (const auto& container_id : inside) (void)signal_container(container_id, SIGKILL).ok();
  stop_pause(sandbox_directory(id));
  for (const auto* ns : {"ipc", "uts", "net"}) {
    umount2(cat(sandbox_directory(id), "/ns/", ns).c_str(), MNT_DETACH);
  }
  return {};
}

Status Engine::remove_sandbox(const std::string& id) {
  MINIK_TRY(stop_sandbox(id));
  std::vector<std::string> inside;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [container_id, info] : containers_) {
      if (info.sandbox_id == id) inside.push_back(container_id);
    }
  }
  for (const auto& container_id : inside) MINIK_TRY(remove_container(container_id));
  (void)Cgroup(Cgroup::kDefaultRoot, cat(cgroup_prefix_, "/", id)).remove().ok();
  MINIK_TRY(remove_mounted_tree(sandbox_directory(id)));
  const std::lock_guard lock(mutex_);
  sandboxes_.erase(id);
  return {};
}

std::vector<SandboxInfo> Engine::sandboxes() const {
  const std::lock_guard lock(mutex_);
  std::vector<SandboxInfo> all;
  for (const auto& [id, info] : sandboxes_) all.push_back(info);
  return all;
}

// --- containers ---

Status Engine::create_container(const std::string& sandbox_id, ContainerSpec spec,
                                const Annotations& annotations) {
  ContainerInfo info;
  info.id = spec.id;
  info.sandbox_id = sandbox_id;
  info.created = wall_now();
  info.annotations = annotations;
  {
    const std::lock_guard lock(mutex_);
    if (!sandboxes_.contains(sandbox_id))
      return Error(ErrorCode::kNotFound, cat("no sandbox ", sandbox_id));
  }
  spec.namespace_directory = sandbox_directory(sandbox_id) + "/ns";
  if (spec.pid_namespace.empty() && shares_processes(sandbox_directory(sandbox_id))) {
    MINIK_TRY(revive_pause(sandbox_directory(sandbox_id), cat(cgroup_prefix_, "/", sandbox_id, "/pause"), program_));
    spec.pid_namespace = spec.namespace_directory + "/pid";
  }
  spec.cgroup = cgroup_of(info);
  const std::string directory = container_directory(spec.id);
  const auto make = [&]() -> Status {
    MINIK_TRY(make_directories(directory, 0700));
    MINIK_TRY(write_file_atomically(directory + "/spec", encode_spec(spec)));
    return write_file_atomically(directory + "/meta", encode(info));
  };
  if (auto made = make(); !made.ok()) {
    (void)remove_mounted_tree(directory).ok();
    return made;
  }
  const std::lock_guard lock(mutex_);
  containers_[spec.id] = std::move(info);
  return {};
}

Result<ContainerInfo> Engine::start_container(const std::string& id) {
  MINIK_ASSIGN(const auto known, container(id));
  if (known.phase != ContainerPhase::kCreated)
    return Error(ErrorCode::kConflict, cat("container ", id, " has been started before"));
  int handshake[2];
  if (pipe2(handshake, O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, handshake[1], kHandshakeFd);
  posix_spawn_file_actions_addclosefrom_np(&actions, kHandshakeFd + 1);
  const std::string directory = container_directory(id);
  std::string program = "minik", argument = "container-shim";
  char* argv[] = {program.data(), argument.data(), const_cast<char*>(directory.c_str()), nullptr};
  pid_t pid = 0;
  const int result = posix_spawn(&pid, program_.path().c_str(), &actions, nullptr, argv, environ);
  posix_spawn_file_actions_destroy(&actions);
  close(handshake[1]);
  if (result != 0) {
    close(handshake[0]);
    return error_from_errno(result, "start the container's shim");
  }
  const auto answer = hear_handshake(handshake[0], limits_.start);
  close(handshake[0]);
  waitpid(pid, nullptr, 0);
  if (!answer) {
    Cgroup(Cgroup::kDefaultRoot, cgroup_of(known)).kill();
    return answer.error();
  }
  Reader reader(*answer);
  const auto kind = static_cast<ShimMessage>(reader.number());
  if (!reader.ok())
    return Error(ErrorCode::kInternalError, "the container's shim died while starting");
  if (kind == ShimMessage::kError) return Error(ErrorCode::kInvalid, reader.text());
  const auto child = static_cast<int>(reader.number());
  const auto connection = connect_shim(id);
  std::unique_lock lock(mutex_);
  const auto found = containers_.find(id);
  if (found == containers_.end()) return Error(ErrorCode::kNotFound, cat("no container ", id));
  ContainerInfo& info = found->second;
  info.started = wall_now();
  info.pid = child;
  info.phase = ContainerPhase::kRunning;
  const ContainerInfo started = info;
  // Watched before anything else: it runs, whether that can be written down or not.
  if (connection) watch(id, *connection);
  write_or_warn(directory + "/meta", encode(started));
  if (connection) return started;
  read_exit(info);  // it has ended already: told like any other end
  lock.unlock();
  on_exit_(started.sandbox_id, id);
  return started;
}

Status Engine::signal_container(const std::string& id, int signal_number) {
  const auto connection = connect_shim(id);
  const bool absent = !connection && connection.error().code != ErrorCode::kTimeout;
  if (absent) return {};  // it has ended: nothing to signal
  const std::string request =
      std::move(
          Writer().put(static_cast<int64_t>(ShimMessage::kSignal)).put(int64_t{signal_number}))
          .take();
  auto told = connection ? ask(*connection, request) : Status(connection.error());
  const bool deaf = !told.ok() && told.error().code == ErrorCode::kTimeout;
  if (deaf && signal_number == SIGKILL) {
    if (const auto info = container(id)) Cgroup(Cgroup::kDefaultRoot, cgroup_of(*info)).kill();
    ucred shim{};
    socklen_t size = sizeof shim;
    // Nobody else would ever report the end.
    if (connection && getsockopt(*connection, SOL_SOCKET, SO_PEERCRED, &shim, &size) == 0 && shim.pid > 0) {
      kill(shim.pid, SIGKILL);
    }
    told = {};
  }
  if (connection) close(*connection);
  return deaf ? told : Status();
}

Status Engine::remove_container(const std::string& id) {
  ContainerInfo info;
  {
    const std::lock_guard lock(mutex_);
    const auto found = containers_.find(id);
    if (found == containers_.end()) return {};
    info = found->second;
  }
  if (info.phase == ContainerPhase::kRunning) {
    (void)signal_container(id, SIGKILL).ok();
    constexpr int kTries = 200;
    for (int i = 0; i < kTries && access((container_directory(id) + "/exit").c_str(), F_OK) != 0;
         ++i)
      usleep(5000);
  }
  (void)Cgroup(Cgroup::kDefaultRoot, cgroup_of(info)).remove().ok();
  MINIK_TRY(remove_mounted_tree(container_directory(id)));
  const std::lock_guard lock(mutex_);
  containers_.erase(id);
  return {};
}

Result<ContainerInfo> Engine::container(const std::string& id) const {
  const std::lock_guard lock(mutex_);
  const auto found = containers_.find(id);
  if (found == containers_.end()) return Error(ErrorCode::kNotFound, cat("no container ", id));
  return found->second;
}

std::vector<ContainerInfo> Engine::containers() const {
  const std::lock_guard lock(mutex_);
  std::vector<ContainerInfo> all;
  for (const auto& [id, info] : containers_) all.push_back(info);
  return all;
}

Result<CgroupStats> Engine::stats(const std::string& id) const {
  MINIK_ASSIGN(const auto info, container(id));
  return Cgroup(Cgroup::kDefaultRoot, cgroup_of(info)).stats();
}

Result<std::vector<std::string>> Engine::set_limits(const std::string& id, const CgroupLimits& limits) {
  MINIK_ASSIGN(const auto info, container(id));
  if (info.phase != ContainerPhase::kRunning) {
    return Error(ErrorCode::kNotFound, cat("container ", id, " is not running"));
  }
  return Cgroup(Cgroup::kDefaultRoot, cgroup_of(info)).set(limits);
}

Result<Terminal> Engine::open_terminal(const std::string& id) const {
  MINIK_ASSIGN(const auto info, container(id));
  if (info.phase != ContainerPhase::kRunning) {
    return Error(ErrorCode::kNotFound, cat("container ", id, " is not running"));
  }
  return runtime::open_terminal(cat("/proc/", info.pid, "/root"));
}

Result<ExecSession> Engine::exec(const std::string& id, const std::vector<std::string>& args,
                                 bool terminal, int in, int out, int err) {
  auto connection = connect_shim(id);
  if (!connection) return Error(ErrorCode::kNotFound, cat("container ", id, " is not running"));
  const std::string request = std::move(Writer()
                                            .put(static_cast<int64_t>(ShimMessage::kExec))
                                            .put(args)
                                            .put(std::vector<std::string>{})
                                            .put(int64_t{terminal}))
                                  .take();
  const auto fail = [&](Error error) -> Result<ExecSession> {
    close(*connection);
    return error;
  };
  if (auto sent = send_message(*connection, request, {in, out, err}); !sent.ok())
    return fail(std::move(sent).error());
  limit_calls(*connection, kExecStartLimit + limits_.answer);
  auto answer = receive_message(*connection);
  if (!answer) return fail(std::move(answer).error());
  limit_calls(*connection, {});  // it runs as long as it likes
  Reader reader(*answer);
  const auto kind = static_cast<ShimMessage>(reader.number());
  if (kind == ShimMessage::kError) return fail(Error(ErrorCode::kInvalid, reader.text()));
  if (kind != ShimMessage::kStarted)
    return fail(Error(ErrorCode::kNotFound, cat("container ", id, " has ended")));
  return ExecSession{*connection};
}

Result<int> Engine::wait_exec(const ExecSession& session) {
  MINIK_ASSIGN(const auto bytes, receive_message(session.connection));
  Reader reader(bytes);
  const auto kind = static_cast<ShimMessage>(reader.number());
  const auto code = static_cast<int>(reader.number());
  if (kind != ShimMessage::kExit || !reader.ok())
    return 137;  // the container ended, and this with it
  return code;
}

Status Engine::attach(const std::string& id, int in, int out, int err) {
  const Error ended(ErrorCode::kNotFound, cat("container ", id, " is not running"));
  auto connection = connect_shim(id);
  if (!connection) return ended;
  std::vector<int> descriptors;
  for (const int fd : {in, out, err}) {
    if (fd >= 0) descriptors.push_back(fd);
  }
  const std::string request =
      std::move(Writer().put(static_cast<int64_t>(ShimMessage::kAttach)).put(int64_t{in >= 0}))
          .take();
  auto attached = ask(*connection, request, descriptors);
  close(*connection);
  return attached.ok() || attached.error().code != ErrorCode::kNotFound ? attached : Status(ended);
}

Status Engine::resize(const std::string& id, int rows, int columns) {
  const auto connection = connect_shim(id);
  if (!connection) return Error(ErrorCode::kNotFound, cat("container ", id, " is not running"));
  const std::string request = std::move(Writer()
                                            .put(static_cast<int64_t>(ShimMessage::kResize))
                                            .put(int64_t{rows})
                                            .put(int64_t{columns}))
                                  .take();
  auto sent = send_message(*connection, request);
  close(*connection);
  return sent;
}

}  // namespace minik::runtime
