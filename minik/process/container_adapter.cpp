#include "minik/process/container_adapter.h"

#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>

#include "control/base/text.h"
#include "minik/process/empty_dir.h"
#include "minik/process/host_path.h"
#include "runtime/container/files.h"
#include "runtime/container/host_check.h"

namespace minik {

using control::PodSandboxConfig;
using control::PodSandboxStatus;

namespace {

// Probes and hooks that may be waiting for an answer at the same time. A node has 110 pods: even if all of them end at once
// in hooks that sleep, those that stay are still probed.
constexpr size_t kProbeThreads = 256;

// Pulls at the same time. One waits for its registry, which may be slow or mean harm, but is given up after a minute without
// progress: the others wait for no longer than that.
constexpr size_t kTransferThreads = 16;

std::string resolv_conf(const PodSandboxConfig& config) {
  std::string text;
  for (const auto& server : config.dns_servers) text += cat("nameserver ", server, "\n");
  if (!config.dns_searches.empty()) text += cat("search ", join(config.dns_searches, " "), "\n");
  if (!config.dns_options.empty()) text += cat("options ", join(config.dns_options, " "), "\n");
  return text;
}

std::string hosts_file(const PodSandboxConfig& config, const std::string& address) {
  std::string text = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  const auto full = config.full_name.empty() ? std::string() : cat(config.full_name, "\t");
  if (!address.empty()) text += cat(address, "\t", full, config.hostname, "\n");
  for (const auto& [ip, names] : config.host_aliases)
    text += cat(ip, "\t", join(names, "\t"), "\n");
  return text;
}

}  // namespace

std::string ContainerAdapter::new_id() {
  static std::atomic<uint64_t> next{0};
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  const uint64_t a = fnv1a_64(cat(now.tv_sec, ".", now.tv_nsec, ".", next++, ".", getpid()));
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(a),
                static_cast<unsigned long long>(fnv1a_64(cat(a, next.load()))));
  return text;
}

ContainerAdapter::ContainerAdapter(Executor& executor, WorkerPool& workers,
                                   runtime::ImageStore& images, PodNetworkPort* network,
                                   ContainerAdapterPaths paths)
    : executor_(executor),
      workers_(workers),
      images_(images),
      network_(network),
      paths_(std::move(paths)),
      alive_(std::make_shared<bool>(true)),
      closing_(eventfd(0, EFD_CLOEXEC)),
      probes_(executor, {.threads = kProbeThreads, .queue_max = 4096}),
      transfers_(executor, {.threads = kTransferThreads, .queue_max = 4096}) {}

ContainerAdapter::~ContainerAdapter() {
  *alive_ = false;
  close();
}

void ContainerAdapter::close() {
  transfers_cancelled_ = true;
  const uint64_t one = 1;
  (void)!write(closing_.get(), &one, sizeof one);
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
  const auto& labels = info.config.annotations;
  const auto label = [&](const char* name) {
    const auto found = labels.find(name);
    return found == labels.end() ? std::string() : found->second;
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
  runtime::SandboxConfig sandbox;
  sandbox.id = new_id();
  sandbox.hostname = config.shown_hostname();
  sandbox.host_ipc = config.host_ipc;
  sandbox.share_processes = config.share_process_namespace;
  sandbox.limits = {.memory_bytes = config.memory_limit_bytes, .cpu_shares = config.cpu_shares, .cpu_quota_us = config.cpu_quota_us};
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
  MINIK_TRY(runtime::write_file_atomically(files + "/hostname", config.shown_hostname() + "\n", 0644));
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

void ContainerAdapter::check_host_path(HostPath wanted, Done<Unit> done) {
  run<Unit>(
      [wanted = std::move(wanted)]() -> Result<Unit> {
        MINIK_TRY(prepare_host_path(wanted));
        return Unit{};
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
          // Whatever its mode says: the group may read.
          for (std::string at = full; fs_group && at.size() >= inside.size(); at.erase(at.rfind('/'))) {
            MINIK_TRY(give_to_group(at, *fs_group, false));
          }
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
        // Names whose key has gone lead nowhere now.
        std::error_code error;
        for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
          const std::string name = entry.path().filename();
          if (name.starts_with("..") || !entry.is_symlink(error)) continue;
          const bool kept = std::ranges::any_of(
              files, [&](const auto& file) { return split(file.first, '/').front() == name; });
          if (!kept) std::filesystem::remove(entry.path(), error);
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

void ContainerAdapter::remove_volume_directory(const std::string& root, const std::string& path,
                                               Done<Unit> done) {
  run<Unit>(
      [root, path]() -> Result<Unit> {
        // The path comes from the API, where others may write.
        const std::string prefix = cat(root, "/");
        const std::string name = path.starts_with(prefix) ? path.substr(prefix.size()) : "";
        if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
          return Error(ErrorCode::kInvalid,
                       cat("volume path ", minik::quoted(path), " is not directly below ", root));
        }
        MINIK_TRY(runtime::remove_mounted_tree(path));
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
