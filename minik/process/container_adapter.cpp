#include "minik/process/container_adapter.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "control/base/text.h"
#include "runtime/container/capabilities.h"
#include "runtime/container/files.h"
#include "runtime/container/host_check.h"
#include "runtime/image/registry_client.h"

namespace minik {

using control::ContainerConfig;
using control::ContainerMount;
using control::ContainerState;
using control::ContainerStatus;
using control::ImageStatus;
using control::PodSandboxConfig;
using control::PodSandboxStatus;

namespace {

constexpr size_t kExecOutputMax = 64 * 1024;
constexpr const char* kBuiltInImage = "docker.io/minik/demo:latest";

std::string new_id() {
  static std::atomic<uint64_t> next{0};
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t a = fnv1a_64(cat(now.tv_sec, ".", now.tv_nsec, ".", next++, ".", getpid()));
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(fnv1a_64(cat(a, next.load()))));
  return text;
}

ImageStatus image_status(const runtime::ImageInfo& info) {
  ImageStatus status;
  status.id = info.id.text();
  status.tags = info.names;
  status.digests = info.repo_digests;
  status.size_bytes = info.size_bytes;
  status.user = info.config.user;
  return status;
}

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

std::string resolv_conf(const PodSandboxConfig& config) {
  std::string text;
  for (const auto& server : config.dns_servers) text += cat("nameserver ", server, "\n");
  if (!config.dns_searches.empty()) text += cat("search ", join(config.dns_searches, " "), "\n");
  if (!config.dns_options.empty()) text += cat("options ", join(config.dns_options, " "), "\n");
  return text;
}

std::string hosts_file(const PodSandboxConfig& config, const std::string& address) {
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  if (!address.empty()) text += cat(address, "\t", config.hostname, "\n");
  for (const auto& [ip, names] : config.host_aliases)
    text += cat(ip, "\t", join(names, "\t"), "\n");
  return text;
}

}  // namespace

ContainerAdapter::ContainerAdapter(Executor& executor, WorkerPool& workers,
                                   runtime::ImageStore& images, PodNetworkPort* network,
                                   ContainerAdapterPaths paths)
    : executor_(executor),
      workers_(workers),
      images_(images),
      network_(network),
      paths_(std::move(paths)),
      alive_(std::make_shared<bool>(true)) {}

ContainerAdapter::~ContainerAdapter() {
  *alive_ = false;
}

Result<std::unique_ptr<ContainerAdapter>> ContainerAdapter::open(
    Executor& executor, WorkerPool& workers, runtime::ImageStore& images, PodNetworkPort* network,
    ContainerAdapterPaths paths, std::string cgroup_prefix) {
  std::unique_ptr<ContainerAdapter> adapter(
      new ContainerAdapter(executor, workers, images, network, std::move(paths)));
  auto* raw = adapter.get();
  MINIK_ASSIGN(
      adapter->engine_,
      runtime::Engine::open(raw->paths_.engine_state, std::move(cgroup_prefix),
                            [raw](const std::string& sandbox, const std::string& container) {
                              raw->on_exit(sandbox, container);
                            }));
  return adapter;
}

void ContainerAdapter::on_exit(const std::string& sandbox_id, const std::string& container_id) {
  executor_.post([this, alive = alive_, sandbox_id, container_id] {
    if (!*alive) return;
    const auto [first, last] = stopping_.equal_range(container_id);
    std::vector<std::function<void()>> waiting;
    for (auto entry = first; entry != last; ++entry) waiting.push_back(entry->second);
    stopping_.erase(first, last);
    for (const auto& done : waiting) done();
    if (listener_)
      listener_({control::RuntimeEvent::Kind::kContainerExited, sandbox_id, container_id});
  });
}

template <typename T>
void ContainerAdapter::run(std::function<Result<T>()> work, Done<T> done) {
  auto shared = std::make_shared<Done<T>>(std::move(done));
  const Status queued =
      workers_.run_for(std::move(work), [shared, alive = alive_](Result<T> result) {
        if (*alive) (*shared)(std::move(result));
      });
  if (queued.ok()) return;
  executor_.post([shared, alive = alive_, error = queued.error()] {
    if (*alive) (*shared)(error);
  });
}

void ContainerAdapter::status(Done<Unit> done) {
  run<Unit>(
      []() -> Result<Unit> {
        const auto problems = runtime::check_host();
        if (problems.empty()) return Unit{};
        return Error(ErrorCode::kServiceUnavailable,
                     cat(problems[0].what, ": ", problems[0].remedy));
      },
      std::move(done));
}

std::string ContainerAdapter::version() const {
  return "minik://0.1.0";
}

std::string ContainerAdapter::sandbox_address(const std::string& sandbox_id) const {
  const std::string address = network_ ? network_->address_of(sandbox_id) : std::string();
  return address.empty() ? "127.0.0.1" : address;
}

PodSandboxStatus ContainerAdapter::sandbox_status_of(const runtime::SandboxInfo& info) const {
  PodSandboxStatus status;
  status.id = info.config.id;
  status.ready = info.ready;
  status.created = info.created;
  status.labels = info.config.annotations;
  const auto label = [&](const char* name) {
    const auto found = status.labels.find(name);
    return found == status.labels.end() ? std::string() : found->second;
  };
  status.namespace_ = label("io.kubernetes.pod.namespace");
  status.name = label("io.kubernetes.pod.name");
  status.uid = label("io.kubernetes.pod.uid");
  status.attempt = static_cast<uint32_t>(parse_uint64(label("minik.attempt")).value_or(0));
  const std::string address = network_ && label("minik.host-network").empty()
                                  ? network_->address_of(info.config.id)
                                  : std::string();
  if (!address.empty()) status.ips = {address};
  return status;
}

Result<PodSandboxStatus> ContainerAdapter::make_sandbox(const PodSandboxConfig& config) {
  if (config.share_process_namespace) {
    return Error(ErrorCode::kBadRequest,
                 "shareProcessNamespace is not there yet: leave it out, or use hostPID");
  }
  runtime::SandboxConfig sandbox;
  sandbox.id = new_id();
  sandbox.hostname = config.hostname;
  sandbox.host_ipc = config.host_ipc;
  sandbox.sysctls = config.sysctls;
  sandbox.annotations = config.labels;
  sandbox.annotations["minik.attempt"] = cat(config.attempt);
  std::string address;
  if (config.host_pid) sandbox.annotations["minik.host-pid"] = "true";
  if (config.host_network) {
    sandbox.annotations["minik.host-network"] = "true";
  } else if (network_) {
    MINIK_ASSIGN(const auto attachment, network_->attach(sandbox.id));
    sandbox.network_namespace = attachment.namespace_path;
    address = attachment.address;
  }
  if (auto made = engine_->create_sandbox(sandbox); !made.ok()) {
    if (network_) (void)network_->detach(sandbox.id).ok();
    return std::move(made).error();
  }
  const std::string files = cat(paths_.pods, "/", config.uid, "/etc");
  MINIK_TRY(runtime::make_directories(files));
  MINIK_TRY(runtime::write_file_atomically(files + "/resolv.conf", resolv_conf(config), 0644));
  MINIK_TRY(runtime::write_file_atomically(files + "/hosts", hosts_file(config, address), 0644));
  MINIK_TRY(runtime::write_file_atomically(files + "/hostname", config.hostname + "\n", 0644));
  return sandbox_status_of({sandbox, {}, true});
}

void ContainerAdapter::run_pod_sandbox(PodSandboxConfig config, Done<PodSandboxStatus> done) {
  run<PodSandboxStatus>([this, config = std::move(config)] { return make_sandbox(config); },
                        std::move(done));
}

void ContainerAdapter::stop_pod_sandbox(const std::string& id, Done<Unit> done) {
  run<Unit>(
      [this, id]() -> Result<Unit> {
        MINIK_TRY(engine_->stop_sandbox(id));
        if (network_) MINIK_TRY(network_->detach(id));
        return Unit{};
      },
      std::move(done));
}

void ContainerAdapter::remove_pod_sandbox(const std::string& id, Done<Unit> done) {
  run<Unit>(
      [this, id]() -> Result<Unit> {
        if (network_) MINIK_TRY(network_->detach(id));
        MINIK_TRY(engine_->remove_sandbox(id));
        return Unit{};
      },
      std::move(done));
}

void ContainerAdapter::list_pod_sandboxes(Done<std::vector<PodSandboxStatus>> done) {
  run<std::vector<PodSandboxStatus>>(
      [this]() -> Result<std::vector<PodSandboxStatus>> {
        std::vector<PodSandboxStatus> all;
        for (const auto& info : engine_->sandboxes()) all.push_back(sandbox_status_of(info));
        return all;
      },
      std::move(done));
}

Result<std::string> ContainerAdapter::make_container(const std::string& sandbox_id,
                                                     const ContainerConfig& config) {
  MINIK_ASSIGN(const auto image, images_.find(config.image));
  runtime::ContainerSpec spec;
  spec.id = new_id();
  MINIK_ASSIGN(spec.lower_directories, images_.rootfs_layers(image));
  spec.user_xattr = images_.needs_userxattr();
  spec.args = config.command.empty() ? image.config.entrypoint : config.command;
  // A command of the pod's own takes the image's arguments away, too.
  const auto& args =
      !config.args.empty() || !config.command.empty() ? config.args : image.config.command;
  spec.args.insert(spec.args.end(), args.begin(), args.end());
  if (spec.args.empty()) return Error(ErrorCode::kInvalid, "no command specified");
  spec.env = image.config.env;
  for (const auto& [key, value] : config.env) {
    std::erase_if(spec.env, [&](const std::string& entry) { return entry.starts_with(key + "="); });
    spec.env.push_back(cat(key, "=", value));
  }
  for (const auto& sandbox : engine_->sandboxes()) {
    if (sandbox.config.id != sandbox_id) continue;
    spec.env.push_back(cat("HOSTNAME=", sandbox.config.hostname));
    spec.host_pid = sandbox.config.annotations.contains("minik.host-pid");
  }
  spec.cwd = config.working_dir.empty() ? image.config.working_dir : config.working_dir;
  spec.user = image.config.user;
  if (config.security.run_as_user) spec.user = cat(*config.security.run_as_user);
  if (config.security.run_as_group) {
    spec.user = cat(spec.user.substr(0, spec.user.find(':')), ":", *config.security.run_as_group);
  }
  spec.supplementary_groups = config.security.supplemental_groups;
  if (config.security.fs_group) spec.supplementary_groups.push_back(*config.security.fs_group);
  MINIK_ASSIGN(spec.capabilities, runtime::capability_set(config.security.add_capabilities,
                                                          config.security.drop_capabilities,
                                                          config.security.privileged));
  spec.privileged = config.security.privileged;
  spec.read_only_root = config.security.read_only_root;
  spec.no_new_privileges = config.security.no_new_privileges;
  spec.seccomp = config.security.seccomp != "Unconfined";
  if (config.security.seccomp.starts_with("Localhost/")) {
    return Error(ErrorCode::kBadRequest,
                 "seccomp profiles of type Localhost are not there yet: use RuntimeDefault");
  }
  spec.terminal = config.tty;
  spec.stdin_open = config.stdin_open;
  spec.stdin_once = config.stdin_once;
  spec.log_path = config.log_path;
  const auto uid = config.labels.find("io.kubernetes.pod.uid");
  const std::string etc =
      cat(paths_.pods, "/", uid == config.labels.end() ? sandbox_id : uid->second, "/etc");
  for (const auto* file : {"resolv.conf", "hosts", "hostname"}) {
    if (access(cat(etc, "/", file).c_str(), F_OK) == 0) {
      runtime::MountSpec mount;
      mount.type = "bind";
      mount.source = cat(etc, "/", file);
      mount.target = cat("/etc/", file);
      spec.mounts.push_back(std::move(mount));
    }
  }
  for (const auto& m : config.mounts) {
    runtime::MountSpec mount;
    mount.type = "bind";
    mount.source = m.host_path;
    mount.target = m.container_path;
    mount.read_only = m.read_only;
    mount.propagation = m.propagation == "Bidirectional"     ? "rshared"
                        : m.propagation == "HostToContainer" ? "rslave"
                                                             : "";
    if (m.kind == ContainerMount::Kind::kEmptyDir || m.kind == ContainerMount::Kind::kMemory) {
      MINIK_TRY(runtime::make_directories(m.host_path, 0777));
      chmod(m.host_path.c_str(), 0777);
      if (config.security.fs_group) {
        (void)!chown(m.host_path.c_str(), static_cast<uid_t>(-1),
                     static_cast<gid_t>(*config.security.fs_group));
      }
    }
    if (m.kind == ContainerMount::Kind::kMemory && config.mounts.size() > 0) {
      mount.type = "tmpfs";
      mount.size_bytes = m.size_limit_bytes;
    }
    spec.mounts.push_back(std::move(mount));
  }
  if (!config.termination_message_path.empty() && uid != config.labels.end()) {
    const std::string file = cat(paths_.pods, "/", uid->second, "/messages/", spec.id);
    MINIK_TRY(runtime::make_directories(file.substr(0, file.rfind('/'))));
    MINIK_TRY(runtime::write_file_atomically(file, "", 0666));
    runtime::MountSpec mount;
    mount.type = "bind";
    mount.source = file;
    mount.target = config.termination_message_path;
    spec.mounts.push_back(std::move(mount));
  }
  spec.memory_limit_bytes = config.resources.memory_limit_bytes;
  spec.cpu_shares = config.resources.cpu_shares;
  spec.cpu_quota_us = config.resources.cpu_quota_us;
  spec.cpu_period_us = config.resources.cpu_period_us;
  spec.pids_limit = config.resources.pids_limit;
  spec.oom_score_adj = config.resources.oom_score_adj;
  runtime::Annotations annotations = config.labels;
  annotations["minik.name"] = config.name;
  annotations["minik.attempt"] = cat(config.attempt);
  annotations["minik.image-id"] =
      image.repo_digests.empty() ? image.id.text() : image.repo_digests[0];
  annotations["minik.stop-signal"] =
      config.stop_signal.empty() ? image.config.stop_signal : config.stop_signal;
  const std::string id = spec.id;
  MINIK_TRY(engine_->create_container(sandbox_id, std::move(spec), annotations));
  return id;
}

void ContainerAdapter::create_container(const std::string& sandbox_id, ContainerConfig config,
                                        Done<std::string> done) {
  run<std::string>(
      [this, sandbox_id, config = std::move(config)] { return make_container(sandbox_id, config); },
      std::move(done));
}

ContainerStatus ContainerAdapter::status_of(const runtime::ContainerInfo& info) const {
  ContainerStatus status;
  status.id = info.id;
  status.sandbox_id = info.sandbox_id;
  const auto note = [&](const char* name) {
    const auto found = info.annotations.find(name);
    return found == info.annotations.end() ? std::string() : found->second;
  };
  status.name = note("minik.name");
  status.attempt = static_cast<uint32_t>(parse_uint64(note("minik.attempt")).value_or(0));
  status.image = note("io.kubernetes.container.image");
  status.image_id = note("minik.image-id");
  status.created = info.created;
  status.started = info.started;
  status.finished = info.finished;
  status.labels = info.annotations;
  status.state = info.phase == runtime::ContainerPhase::kRunning  ? ContainerState::kRunning
                 : info.phase == runtime::ContainerPhase::kExited ? ContainerState::kExited
                                                                  : ContainerState::kCreated;
  if (status.state == ContainerState::kExited) {
    status.exit_code = info.exit_code;
    status.signal = 0;
    status.reason = info.out_of_memory ? "OOMKilled" : info.exit_code == 0 ? "Completed" : "Error";
    const std::string file =
        cat(paths_.pods, "/", note("io.kubernetes.pod.uid"), "/messages/", info.id);
    if (auto message = runtime::read_whole_file(file)) status.message = message->substr(0, 4096);
  }
  return status;
}

void ContainerAdapter::start_container(const std::string& id, Done<ContainerStatus> done) {
  run<ContainerStatus>(
      [this, id]() -> Result<ContainerStatus> {
        auto info = engine_->start_container(id);
        if (!info) {
          return std::move(info).error().in("failed to start container");
        }
        return status_of(*info);
      },
      std::move(done));
}

void ContainerAdapter::stop_container(const std::string& id, Duration grace, Done<Unit> done) {
  const auto info = engine_->container(id);
  if (!info || info->phase != runtime::ContainerPhase::kRunning) {
    executor_.post([done = std::move(done)] { done(Unit{}); });
    return;
  }
  // Told by the exit, or by SIGKILL and then the exit; whoever comes first.
  auto shared = std::make_shared<Done<Unit>>(std::move(done));
  stopping_.emplace(id, [shared] { (*shared)(Unit{}); });
  const auto annotation = info->annotations.find("minik.stop-signal");
  int signal_number = SIGTERM;
  if (annotation != info->annotations.end()) {
    const std::string name = annotation->second;
    if (name == "SIGINT") signal_number = SIGINT;
    if (name == "SIGQUIT") signal_number = SIGQUIT;
    if (name == "SIGKILL") signal_number = SIGKILL;
    if (name == "SIGHUP") signal_number = SIGHUP;
    if (name == "SIGUSR1") signal_number = SIGUSR1;
    if (const auto number = parse_int64(name)) signal_number = static_cast<int>(*number);
  }
  if (grace <= Duration{}) signal_number = SIGKILL;
  run<Unit>(
      [this, id, signal_number]() -> Result<Unit> {
        MINIK_TRY(engine_->signal_container(id, signal_number));
        return Unit{};
      },
      [this, id, grace, alive = alive_](const Result<Unit>&) {
        executor_.after(grace, [this, id, alive] {
          if (!*alive || !stopping_.contains(id)) return;
          run<Unit>(
              [this, id]() -> Result<Unit> {
                MINIK_TRY(engine_->signal_container(id, SIGKILL));
                return Unit{};
              },
              [](const Result<Unit>&) {});
        });
      });
}

void ContainerAdapter::remove_container(const std::string& id, Done<Unit> done) {
  run<Unit>(
      [this, id]() -> Result<Unit> {
        MINIK_TRY(engine_->remove_container(id));
        return Unit{};
      },
      std::move(done));
}

void ContainerAdapter::container_status(const std::string& id, Done<ContainerStatus> done) {
  run<ContainerStatus>(
      [this, id]() -> Result<ContainerStatus> {
        MINIK_ASSIGN(const auto info, engine_->container(id));
        return status_of(info);
      },
      std::move(done));
}

void ContainerAdapter::list_containers(Done<std::vector<ContainerStatus>> done) {
  run<std::vector<ContainerStatus>>(
      [this]() -> Result<std::vector<ContainerStatus>> {
        std::vector<ContainerStatus> all;
        for (const auto& info : engine_->containers()) all.push_back(status_of(info));
        return all;
      },
      std::move(done));
}

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

namespace {

Result<UniqueFd> connect_to(PodNetworkPort* network, const std::string& address, int port,
                            Duration timeout) {
  if (!network) return Error(ErrorCode::kServiceUnavailable, "this node has no pod network");
  return network->connect(address, port, static_cast<int>(timeout.milliseconds()));
}

}  // namespace

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

void ContainerAdapter::find_image(const std::string& reference, Done<ImageStatus> done) {
  run<ImageStatus>(
      [this, reference]() -> Result<ImageStatus> {
        MINIK_ASSIGN(const auto info, images_.find(reference));
        return image_status(info);
      },
      std::move(done));
}

void ContainerAdapter::pull_image(const std::string& reference,
                                  std::optional<control::PullCredentials> credentials,
                                  Done<ImageStatus> done) {
  run<ImageStatus>(
      [this, reference, credentials = std::move(credentials)]() -> Result<ImageStatus> {
        // The image that is made from this very program is in no registry: pulling it is finding
        // it.
        if (auto here = images_.find(reference)) {
          const auto& names = here->names;
          if (std::find(names.begin(), names.end(), kBuiltInImage) != names.end())
            return image_status(*here);
        }
        runtime::TransferOptions options;
        if (credentials) options.credentials = {credentials->username, credentials->password};
        MINIK_ASSIGN(const auto info, runtime::pull_image(images_, reference, options));
        return image_status(info);
      },
      std::move(done));
}

void ContainerAdapter::list_images(Done<std::vector<ImageStatus>> done) {
  run<std::vector<ImageStatus>>(
      [this]() -> Result<std::vector<ImageStatus>> {
        MINIK_ASSIGN(const auto list, images_.list());
        std::vector<ImageStatus> all;
        for (const auto& info : list) all.push_back(image_status(info));
        return all;
      },
      std::move(done));
}

void ContainerAdapter::remove_image(const std::string& id, Done<Unit> done) {
  run<Unit>(
      [this, id]() -> Result<Unit> {
        MINIK_ASSIGN(const auto removed, images_.remove(id, {}));
        (void)removed;
        return Unit{};
      },
      std::move(done));
}

void ContainerAdapter::stats(Done<std::vector<control::ContainerStats>> done) {
  run<std::vector<control::ContainerStats>>(
      [this]() -> Result<std::vector<control::ContainerStats>> {
        std::vector<control::ContainerStats> all;
        for (const auto& info : engine_->containers()) {
          if (info.phase != runtime::ContainerPhase::kRunning) continue;
          const auto measured = engine_->stats(info.id);
          if (!measured) continue;
          const auto status = status_of(info);
          all.push_back({info.id, status.name, info.sandbox_id, measured->cpu_usage_ns,
                         measured->memory_working_set_bytes, measured->memory_usage_bytes,
                         measured->pids});
        }
        return all;
      },
      std::move(done));
}

// As Kubernetes does: the files stand in a directory of their own that the link ..data names, and
// the names that a container sees are links through it, so that a change swings all of them at
// once.
void ContainerAdapter::write_volume(const std::string& directory,
                                    std::map<std::string, VolumeFile> files,
                                    std::optional<int64_t> fs_group, Done<Unit> done) {
  run<Unit>(
      [directory, files = std::move(files), fs_group]() -> Result<Unit> {
        const std::string data = cat("..", new_id());
        const std::string inside = cat(directory, "/", data);
        MINIK_TRY(runtime::make_directories(inside));
        for (const auto& [path, file] : files) {
          if (cat("/", path, "/").find("/../") != std::string::npos) {
            return Error(ErrorCode::kInvalid,
                         cat("volume path ", minik::quoted(path), " must stay inside"));
          }
          const std::string full = cat(inside, "/", path);
          MINIK_TRY(runtime::make_directories(full.substr(0, full.rfind('/'))));
          MINIK_TRY(runtime::write_file_atomically(full, file.content, file.mode));
          if (fs_group)
            (void)!chown(full.c_str(), static_cast<uid_t>(-1), static_cast<gid_t>(*fs_group));
        }
        const std::string link = cat(directory, "/..data_tmp");
        unlink(link.c_str());
        char old[4096] = {};
        (void)!readlink(cat(directory, "/..data").c_str(), old, sizeof old - 1);
        if (symlink(data.c_str(), link.c_str()) != 0 ||
            rename(link.c_str(), cat(directory, "/..data").c_str()) != 0) {
          return error_from_errno(errno, cat("link ", directory, "/..data"));
        }
        for (const auto& [path, file] : files) {
          const std::string top = path.substr(0, path.find('/'));
          const std::string visible = cat(directory, "/", top);
          if (symlink(cat("..data/", top).c_str(), visible.c_str()) != 0 && errno != EEXIST) {
            return error_from_errno(errno, cat("link ", visible));
          }
        }
        if (old[0] != 0) (void)runtime::remove_mounted_tree(cat(directory, "/", old)).ok();
        return Unit{};
      },
      std::move(done));
}

void ContainerAdapter::remove_pod_directories(const std::string& pod_uid, Done<Unit> done) {
  run<Unit>(
      [this, pod_uid]() -> Result<Unit> {
        MINIK_TRY(runtime::remove_mounted_tree(cat(paths_.pods, "/", pod_uid)));
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(paths_.logs, error)) {
          const std::string name = entry.path().filename();
          if (name.ends_with("_" + pod_uid)) MINIK_TRY(runtime::remove_mounted_tree(entry.path()));
        }
        return Unit{};
      },
      std::move(done));
}

std::string ContainerAdapter::pod_volume_root(const std::string& pod_uid) const {
  return cat(paths_.pods, "/", pod_uid, "/volumes");
}

std::string ContainerAdapter::pod_log_directory(const std::string& namespace_,
                                                const std::string& name,
                                                const std::string& uid) const {
  return cat(paths_.logs, "/", namespace_, "_", name, "_", uid);
}

void ContainerAdapter::on_event(std::function<void(const control::RuntimeEvent&)> listener) {
  listener_ = std::move(listener);
}

}  // namespace minik
