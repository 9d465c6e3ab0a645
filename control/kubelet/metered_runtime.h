// MeteredRuntime: a container runtime that passes everything on and counts it, as kubelet_runtime_operations_total,
// _errors_total and _duration_seconds under the kubelet's names of the operations.
//
// Stands between a node agent and its runtime where somebody reads metrics: the simulator's machines have none. An
// operation is counted when it is asked for and timed when it is answered; that an image is not there is an answer and
// no error. Probes and files of volumes are not operations of a runtime and pass uncounted. The runtime and the registry
// outlive it, and answers that come after its end still go to whoever asked. Control thread only.
#pragma once

#include <memory>

#include "control/base/executor.h"
#include "control/base/metrics.h"
#include "control/kubelet/container_runtime.h"

namespace minik::control {

class MeteredRuntime : public ContainerRuntime {
 public:
  MeteredRuntime(Executor& executor, ContainerRuntime& runtime, MetricRegistry& metrics);
  ~MeteredRuntime() override;

  void status(Done<Unit> done) override;
  std::string version() const override { return runtime_.version(); }
  void run_pod_sandbox(PodSandboxConfig config, Done<PodSandboxStatus> done) override;
  void stop_pod_sandbox(const std::string& id, Done<Unit> done) override;
  void remove_pod_sandbox(const std::string& id, Done<Unit> done) override;
  void list_pod_sandboxes(Done<std::vector<PodSandboxStatus>> done) override;
  void create_container(const std::string& sandbox_id, ContainerConfig config, Done<std::string> done) override;
  void start_container(const std::string& id, Done<ContainerStatus> done) override;
  void stop_container(const std::string& id, Duration grace, Done<Unit> done) override;
  void remove_container(const std::string& id, Done<Unit> done) override;
  void update_container(const std::string& id, const ContainerResources& resources, Done<Unit> done) override;
  void container_status(const std::string& id, Done<ContainerStatus> done) override;
  void list_containers(Done<std::vector<ContainerStatus>> done) override;
  void exec_sync(const std::string& id, std::vector<std::string> command, Duration timeout,
                 Done<ExecResult> done) override;
  void http_get(const std::string& sandbox_id, HttpProbe probe, Duration timeout, Done<HttpAnswer> done) override;
  void grpc_check(const std::string& sandbox_id, GrpcProbe probe, Duration timeout, Done<Unit> done) override;
  void tcp_connect(const std::string& sandbox_id, const std::string& host, int port, Duration timeout,
                   Done<Unit> done) override;
  bool probes_settled(const std::string& sandbox_id) const override { return runtime_.probes_settled(sandbox_id); }
  void find_image(const std::string& reference, Done<ImageStatus> done) override;
  void pull_image(const std::string& reference, std::optional<PullCredentials> credentials,
                  Done<ImageStatus> done) override;
  void list_images(Done<std::vector<ImageStatus>> done) override;
  void remove_image(const std::string& id, Done<Unit> done) override;
  void stats(Done<std::vector<ContainerStats>> done) override;
  void disk_usage(std::vector<std::string> pod_uids, Done<DiskUsage> done) override;
  void check_host_path(HostPath wanted, Done<Unit> done) override { runtime_.check_host_path(std::move(wanted), std::move(done)); }
  void write_volume(const std::string& directory, std::map<std::string, VolumeFile> files,
                    std::optional<int64_t> fs_group, Done<Unit> done) override;
  void remove_pod_volumes(const std::string& pod_uid, Done<Unit> done) override;
  void remove_pod_directories(const std::string& pod_uid, Done<Unit> done) override;
  std::string pod_volume_root(const std::string& pod_uid) const override { return runtime_.pod_volume_root(pod_uid); }
  std::string pod_log_directory(const std::string& namespace_, const std::string& name,
                                const std::string& uid) const override {
    return runtime_.pod_log_directory(namespace_, name, uid);
  }
  void on_event(std::function<void(const RuntimeEvent&)> listener) override {
    runtime_.on_event(std::move(listener));
  }

 private:
  class Counts;
  // The callback, which first counts what came of the operation.
  template <typename T>
  Done<T> metered(const char* operation, Done<T> done);

  ContainerRuntime& runtime_;
  std::shared_ptr<Counts> counts_;
};

}  // namespace minik::control
