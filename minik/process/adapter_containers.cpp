// The container half of ContainerAdapter: what the node agent asks for, as the engine takes it.
#include "minik/process/container_adapter.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "control/base/text.h"
#include "minik/process/empty_dir.h"
#include "runtime/container/capabilities.h"
#include "runtime/container/files.h"
#include "runtime/container/log_reader.h"
#include "runtime/container/rooted_path.h"
#include "runtime/container/seccomp_profile.h"
#include "runtime/container/signal_names.h"

namespace minik {

using control::ContainerConfig;
using control::ContainerMount;
using control::ContainerState;
using control::ContainerStatus;

namespace {

constexpr std::string_view kLocalhost = "Localhost/";
constexpr size_t kMessageBytesMax = 4096;  // of a termination message, as the kubelet has it
constexpr const char* kLastWordsLog = "minik.last-words-log";  // of a container whose log stands in for its message
constexpr int64_t kLastWordsLinesMax = 80;
constexpr size_t kLastWordsBytesMax = 2048;

// The end of a log, as what its container had to say.
std::string last_words(const std::string& log_path) {
  runtime::LogReadOptions options;
  options.tail_lines = kLastWordsLinesMax;
  auto reader = runtime::LogReader::open(log_path, options);
  std::string words;
  while (reader) {
    const auto more = reader->read(kLastWordsBytesMax);
    if (!more || more->empty()) break;
    words += *more;
    if (words.size() > kLastWordsBytesMax) words.erase(0, words.size() - kLastWordsBytesMax);
  }
  return words;
}

bool same_path(const std::string& one, const std::string& other) {
  const auto plain = [](const std::string& path) { return (std::filesystem::path("/") / path / "").lexically_normal(); };
  return plain(one) == plain(other);
}

Result<std::string> read_seccomp_profile(const std::string& path) {
  MINIK_ASSIGN(const auto text, runtime::read_whole_file(path));
  auto profile = runtime::parse_seccomp_profile(text);
  if (!profile) return std::move(profile).error().in(path);
  return runtime::encode_seccomp_profile(*profile);
}

}  // namespace

Result<std::string> ContainerAdapter::make_container(const std::string& sandbox_id,
                                                     const ContainerConfig& config) {
  if (config.security.own_users) {
    return Error(ErrorCode::kInvalid, "hostUsers: false is not there yet, and the pod's root would be the machine's: "
                                      "leave it out to run the pod with the machine's users all the same");
  }
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
    const std::string prefix = key + "=";
    std::erase_if(spec.env, [&](const std::string& entry) { return entry.starts_with(prefix); });
    spec.env.push_back(cat(key, "=", value));
  }
  for (const auto& sandbox : engine_->sandboxes()) {
    if (sandbox.config.id != sandbox_id) continue;
    const bool named = std::ranges::any_of(
        spec.env, [](std::string_view entry) { return entry.starts_with("HOSTNAME="); });
    if (!named) spec.env.insert(spec.env.begin(), cat("HOSTNAME=", sandbox.config.hostname));
    spec.host_pid = sandbox.config.annotations.contains("minik.host-pid");
  }
  if (!config.processes_of.empty()) {
    MINIK_ASSIGN(const auto target, engine_->container(config.processes_of));
    if (target.phase != runtime::ContainerPhase::kRunning) {
      return Error(ErrorCode::kConflict, "the container whose processes are to be seen is not running");
    }
    spec.pid_namespace = cat("/proc/", target.pid, "/ns/pid");
  }
  spec.cwd = config.working_dir.empty() ? image.config.working_dir : config.working_dir;
  spec.user = image.config.user;
  if (config.security.run_as_user) spec.user = cat(*config.security.run_as_user);
  if (config.security.run_as_group) {
    spec.user = cat(spec.user.substr(0, spec.user.find(':')), ":", *config.security.run_as_group);
  }
  spec.supplementary_groups = config.security.supplemental_groups;
  spec.image_groups = config.security.image_groups;
  if (config.security.fs_group) spec.supplementary_groups.push_back(*config.security.fs_group);
  MINIK_ASSIGN(spec.capabilities, runtime::capability_set(config.security.add_capabilities,
                                                          config.security.drop_capabilities,
                                                          config.security.privileged));
  spec.privileged = config.security.privileged;
  spec.read_only_root = config.security.read_only_root;
  spec.no_new_privileges = config.security.no_new_privileges;
  spec.seccomp = config.security.seccomp != "Unconfined";
  if (const std::string_view kind = config.security.seccomp; kind.starts_with(kLocalhost)) {
    MINIK_ASSIGN(spec.seccomp_profile, read_seccomp_profile(cat(paths_.seccomp, "/", kind.substr(kLocalhost.size()))));
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
    mount.sub_path = m.sub_path;
    mount.target = m.container_path;
    mount.shows_devices = m.kind == ContainerMount::Kind::kHostPath;
    mount.read_only = m.read_only;
    mount.propagation = m.propagation == "Bidirectional"     ? "rshared"
                        : m.propagation == "HostToContainer" ? "rslave"
                                                             : "";
    if (m.kind == ContainerMount::Kind::kEmptyDir || m.kind == ContainerMount::Kind::kMemory) {
      MINIK_TRY(make_empty_dir(m.host_path, {m.kind == ContainerMount::Kind::kMemory, m.size_limit_bytes, config.security.fs_group}));
    }
    if (m.mode_when_missing != 0 && access(m.host_path.c_str(), F_OK) != 0) {
      MINIK_TRY(runtime::make_directories(m.host_path, m.mode_when_missing));
      chmod(m.host_path.c_str(), static_cast<mode_t>(m.mode_when_missing));
    }
    if (!m.sub_path.empty()) {
      auto made = runtime::make_beneath(m.host_path, m.sub_path);
      if (!made.ok()) {
        return std::move(made).error().in(cat("failed to prepare subPath ", minik::quoted(m.sub_path),
                                              " of the mount at ", m.container_path));
      }
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
  for (const auto& path : image.config.volumes) {
    const bool taken = std::ranges::any_of(spec.mounts, [&](const runtime::MountSpec& mount) { return same_path(mount.target, path); });
    if (taken || same_path(path, "/")) continue;
    runtime::MountSpec own;
    own.type = "own";
    own.target = path;
    spec.mounts.push_back(std::move(own));
  }
  runtime::order_mounts(spec.mounts);
  spec.memory_limit_bytes = config.resources.memory_limit_bytes;
  spec.cpu_shares = config.resources.cpu_shares;
  spec.cpu_quota_us = config.resources.cpu_quota_us;
  spec.cpu_period_us = config.resources.cpu_period_us;
  spec.pids_limit = config.resources.pids_limit;
  spec.oom_score_adj = config.resources.oom_score_adj;
  runtime::Annotations annotations = config.labels;
  annotations["minik.name"] = config.name;
  annotations["minik.attempt"] = cat(config.attempt);
  if (config.labels.contains("io.kubernetes.container.terminationMessagePolicy")) annotations[kLastWordsLog] = config.log_path;
  annotations[std::string(kImageNote)] = image.id.text();
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
  status.state = info.phase == runtime::ContainerPhase::kRunning  ? ContainerState::kRunning
                 : info.phase == runtime::ContainerPhase::kExited ? ContainerState::kExited
                                                                  : ContainerState::kCreated;
  if (status.state == ContainerState::kExited) {
    status.exit_code = info.exit_code;
    status.signal = 0;
    status.reason = info.out_of_memory ? "OOMKilled" : info.exit_code == 0 ? "Completed" : "Error";
    const std::string file =
        cat(paths_.pods, "/", note("io.kubernetes.pod.uid"), "/messages/", info.id);
    if (auto message = runtime::read_end_of_foreign_file(file, kMessageBytesMax)) status.message = *std::move(message);
    const bool failed = status.exit_code != 0 && status.message.empty();
    if (const std::string log = note(kLastWordsLog); failed && !log.empty()) status.message = last_words(log);
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
  if (annotation != info->annotations.end()) signal_number = runtime::parse_signal(annotation->second).value_or(SIGTERM);
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

void ContainerAdapter::update_container(const std::string& id, const control::ContainerResources& resources,
                                        Done<Unit> done) {
  run<Unit>(
      [this, id, resources]() -> Result<Unit> {
        MINIK_ASSIGN(const auto missing,
                     engine_->set_limits(id, {resources.memory_limit_bytes, resources.cpu_shares, resources.cpu_quota_us,
                                              resources.cpu_period_us, resources.pids_limit}));
        if (!missing.empty()) {
          return Error(ErrorCode::kServiceUnavailable, cat("this machine has no cgroup controller ", join(missing, ", ")));
        }
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

}  // namespace minik
