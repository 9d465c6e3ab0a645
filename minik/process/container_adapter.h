// ContainerAdapter: the node agent's ContainerRuntime on this machine, over the container engine,
// the image store and the pod network. Every call runs on a worker and is answered on the control
// thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "control/kubelet/container_runtime.h"
#include "minik/process/pod_network.h"
#include "minik/process/worker_pool.h"
#include "runtime/container/engine.h"
#include "runtime/image/image_store.h"

namespace minik {

// The annotation of a container that holds its image's id, as the store knows it.
constexpr std::string_view kImageNote = "minik.image";

struct ContainerAdapterPaths {
  std::string engine_state, pods, logs;
  std::string seccomp;  // where profiles of type Localhost stand, as below a kubelet's root
};

// The images that these containers, which the adapter has made, were made from.
runtime::ImagesInUse images_of(const std::vector<runtime::ContainerInfo>& containers, const runtime::ImageStore& images);

class ContainerAdapter : public control::ContainerRuntime {
 public:
  // The network may be null: pods then share the machine's. All must outlive the adapter but the workers, which must have
  // gone by then: their work is done in it.
  static Result<std::unique_ptr<ContainerAdapter>> open(Executor& executor, WorkerPool& workers,
                                                        runtime::ImageStore& images,
                                                        PodNetworkPort* network,
                                                        ContainerAdapterPaths paths,
                                                        std::string cgroup_prefix);
  ~ContainerAdapter() override;

  // Nobody waits for containers any more, and sizes of directories stay unknown; before the workers are ended.
  void close();

  runtime::Engine& engine() { return *engine_; }

  void status(Done<Unit> done) override;
  std::string version() const override;
  void run_pod_sandbox(control::PodSandboxConfig config,
                       Done<control::PodSandboxStatus> done) override;
  void stop_pod_sandbox(const std::string& id, Done<Unit> done) override;
  void remove_pod_sandbox(const std::string& id, Done<Unit> done) override;
  void list_pod_sandboxes(Done<std::vector<control::PodSandboxStatus>> done) override;
  void create_container(const std::string& sandbox_id, control::ContainerConfig config,
                        Done<std::string> done) override;
  void start_container(const std::string& id, Done<control::ContainerStatus> done) override;
  void stop_container(const std::string& id, Duration grace, Done<Unit> done) override;
  void remove_container(const std::string& id, Done<Unit> done) override;
  void update_container(const std::string& id, const control::ContainerResources& resources, Done<Unit> done) override;
  void container_status(const std::string& id, Done<control::ContainerStatus> done) override;
  void list_containers(Done<std::vector<control::ContainerStatus>> done) override;
  void exec_sync(const std::string& id, std::vector<std::string> command, Duration timeout,
                 Done<control::ExecResult> done) override;
  void http_get(const std::string& sandbox_id, control::HttpProbe probe, Duration timeout,
                Done<control::HttpAnswer> done) override;
  void grpc_check(const std::string& sandbox_id, control::GrpcProbe probe, Duration timeout, Done<Unit> done) override;
  void tcp_connect(const std::string& sandbox_id, const std::string& host, int port,
                   Duration timeout, Done<Unit> done) override;
  void find_image(const std::string& reference, Done<control::ImageStatus> done) override;
  void pull_image(const std::string& reference, std::optional<control::PullCredentials> credentials,
                  Done<control::ImageStatus> done) override;
  void list_images(Done<std::vector<control::ImageStatus>> done) override;
  void remove_image(const std::string& id, Done<Unit> done) override;
  void stats(Done<std::vector<control::ContainerStats>> done) override;
  void disk_usage(std::vector<std::string> pod_uids, Done<control::DiskUsage> done) override;
  void check_host_path(HostPath wanted, Done<Unit> done) override;
  void write_volume(const std::string& directory, std::map<std::string, VolumeFile> files,
                    std::optional<int64_t> fs_group, Done<Unit> done) override;
  void remove_pod_volumes(const std::string& pod_uid, Done<Unit> done) override;
  void remove_pod_directories(const std::string& pod_uid, Done<Unit> done) override;
  std::string pod_volume_root(const std::string& pod_uid) const override;
  std::string pod_log_directory(const std::string& namespace_, const std::string& name,
                                const std::string& uid) const override;
  void on_event(std::function<void(const control::RuntimeEvent&)> listener) override;

  // A provisioned directory, which must stand directly below `root`; missing is fine.
  void remove_volume_directory(const std::string& root, const std::string& path, Done<Unit> done);

  // The address by which probes and forwarded ports reach a sandbox.
  std::string sandbox_address(const std::string& sandbox_id) const;

 private:
  ContainerAdapter(Executor& executor, WorkerPool& workers, runtime::ImageStore& images,
                   PodNetworkPort* network, ContainerAdapterPaths paths);
  // On a worker; the answer comes on the control thread, or never when the adapter has gone.
  template <typename T>
  void run(std::function<Result<T>()> work, Done<T> done) {
    run_on(workers_, std::move(work), std::move(done));
  }
  template <typename T>
  void run_on(WorkerPool& workers, std::function<Result<T>()> work, Done<T> done) {
    auto shared = std::make_shared<Done<T>>(std::move(done));
    const Status queued =
        workers.run_for(std::move(work), [shared, alive = alive_](Result<T> result) {
          if (*alive) (*shared)(std::move(result));
        });
    if (queued.ok()) return;
    executor_.post([shared, alive = alive_, error = queued.error()] {
      if (*alive) (*shared)(error);
    });
  }
  Result<control::PodSandboxStatus> make_sandbox(const control::PodSandboxConfig& config);
  Result<std::string> make_container(const std::string& sandbox_id,
                                     const control::ContainerConfig& config);
  control::ContainerStatus status_of(const runtime::ContainerInfo& info) const;
  control::PodSandboxStatus sandbox_status_of(const runtime::SandboxInfo& info) const;
  static std::string new_id();  // 32 hexadecimal digits
  void on_exit(const std::string& sandbox_id, const std::string& container_id);

  Executor& executor_;
  WorkerPool& workers_;
  runtime::ImageStore& images_;
  PodNetworkPort* network_;
  const ContainerAdapterPaths paths_;
  std::function<void(const control::RuntimeEvent&)> listener_;
  // Containers that are being stopped, and who waits; control thread only.
  std::multimap<std::string, std::function<void()>> stopping_;
  std::shared_ptr<bool> alive_;  // before the engine, whose thread takes it along with every exit
  UniqueFd closing_;  // readable when the adapter goes: who waits for a container gives up
  std::unique_ptr<runtime::Engine> engine_;
  std::atomic<bool> transfers_cancelled_{false};
  // What waits for somebody's containers or registry, or walks over their files, must not keep others from starting, nor
  // from being ended. They go first: their work needs all above.
  WorkerPool probes_, transfers_;
};

}  // namespace minik
