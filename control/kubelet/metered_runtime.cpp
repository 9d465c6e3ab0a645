#include "control/kubelet/metered_runtime.h"

namespace minik::control {

namespace {

// From 5 ms in steps of 2.5: pulls take minutes.
std::vector<Duration> operation_bounds() {
  std::vector<Duration> bounds;
  for (Duration bound = milliseconds(5); bounds.size() < 14; bound = bound * 5 / 2) bounds.push_back(bound);
  return bounds;
}

}  // namespace

class MeteredRuntime::Counts {
 public:
  Counts(Executor& executor, MetricRegistry& metrics) : executor_(executor), metrics_(metrics) {}

  Instant begin(const char* operation) {
    metrics_
        .counter("kubelet_runtime_operations_total", "Operations of the container runtime.",
                 {{"operation_type", operation}})
        .add();
    return executor_.now();
  }
  void failed(const char* operation) {
    metrics_
        .counter("kubelet_runtime_operations_errors_total", "Operations of the container runtime that failed.",
                 {{"operation_type", operation}})
        .add();
  }
  void ended(const char* operation, Instant begin) {
    metrics_
        .histogram("kubelet_runtime_operations_duration_seconds",
                   "Time from an operation of the container runtime to its answer.", {{"operation_type", operation}},
                   operation_bounds())
        .observe(executor_.now() - begin);
  }

 private:
  Executor& executor_;
  MetricRegistry& metrics_;
};

MeteredRuntime::MeteredRuntime(Executor& executor, ContainerRuntime& runtime, MetricRegistry& metrics)
    : runtime_(runtime), counts_(std::make_shared<Counts>(executor, metrics)) {}

MeteredRuntime::~MeteredRuntime() = default;

template <typename T>
ContainerRuntime::Done<T> MeteredRuntime::metered(const char* operation, Done<T> done) {
  const Instant begin = counts_->begin(operation);
  return [weak = std::weak_ptr(counts_), operation, begin, done = std::move(done)](Result<T> result) {
    if (const auto counts = weak.lock()) {
      counts->ended(operation, begin);
      if (!result && result.error().code != ErrorCode::kNotFound) counts->failed(operation);
    }
    done(std::move(result));
  };
}

void MeteredRuntime::status(Done<Unit> done) {
  runtime_.status(metered("status", std::move(done)));
}
void MeteredRuntime::run_pod_sandbox(PodSandboxConfig config, Done<PodSandboxStatus> done) {
  runtime_.run_pod_sandbox(std::move(config), metered("run_podsandbox", std::move(done)));
}
void MeteredRuntime::stop_pod_sandbox(const std::string& id, Done<Unit> done) {
  runtime_.stop_pod_sandbox(id, metered("stop_podsandbox", std::move(done)));
}
void MeteredRuntime::remove_pod_sandbox(const std::string& id, Done<Unit> done) {
  runtime_.remove_pod_sandbox(id, metered("remove_podsandbox", std::move(done)));
}
void MeteredRuntime::list_pod_sandboxes(Done<std::vector<PodSandboxStatus>> done) {
  runtime_.list_pod_sandboxes(metered("list_podsandbox", std::move(done)));
}
void MeteredRuntime::create_container(const std::string& sandbox_id, ContainerConfig config, Done<std::string> done) {
  runtime_.create_container(sandbox_id, std::move(config), metered("create_container", std::move(done)));
}
void MeteredRuntime::start_container(const std::string& id, Done<ContainerStatus> done) {
  runtime_.start_container(id, metered("start_container", std::move(done)));
}
void MeteredRuntime::stop_container(const std::string& id, Duration grace, Done<Unit> done) {
  runtime_.stop_container(id, grace, metered("stop_container", std::move(done)));
}
void MeteredRuntime::remove_container(const std::string& id, Done<Unit> done) {
  runtime_.remove_container(id, metered("remove_container", std::move(done)));
}
void MeteredRuntime::update_container(const std::string& id, const ContainerResources& resources, Done<Unit> done) {
  runtime_.update_container(id, resources, metered("update_container", std::move(done)));
}
void MeteredRuntime::container_status(const std::string& id, Done<ContainerStatus> done) {
  runtime_.container_status(id, metered("container_status", std::move(done)));
}
void MeteredRuntime::list_containers(Done<std::vector<ContainerStatus>> done) {
  runtime_.list_containers(metered("list_containers", std::move(done)));
}
void MeteredRuntime::exec_sync(const std::string& id, std::vector<std::string> command, Duration timeout,
                               Done<ExecResult> done) {
  runtime_.exec_sync(id, std::move(command), timeout, metered("exec_sync", std::move(done)));
}
void MeteredRuntime::http_get(const std::string& sandbox_id, HttpProbe probe, Duration timeout, Done<HttpAnswer> done) {
  runtime_.http_get(sandbox_id, std::move(probe), timeout, std::move(done));
}
void MeteredRuntime::grpc_check(const std::string& sandbox_id, GrpcProbe probe, Duration timeout, Done<Unit> done) {
  runtime_.grpc_check(sandbox_id, std::move(probe), timeout, std::move(done));
}
void MeteredRuntime::tcp_connect(const std::string& sandbox_id, const std::string& host, int port, Duration timeout,
                                 Done<Unit> done) {
  runtime_.tcp_connect(sandbox_id, host, port, timeout, std::move(done));
}
void MeteredRuntime::find_image(const std::string& reference, Done<ImageStatus> done) {
  runtime_.find_image(reference, metered("image_status", std::move(done)));
}
void MeteredRuntime::pull_image(const std::string& reference, std::optional<PullCredentials> credentials,
                                Done<ImageStatus> done) {
  runtime_.pull_image(reference, std::move(credentials), metered("pull_image", std::move(done)));
}
void MeteredRuntime::list_images(Done<std::vector<ImageStatus>> done) {
  runtime_.list_images(metered("list_images", std::move(done)));
}
void MeteredRuntime::remove_image(const std::string& id, Done<Unit> done) {
  runtime_.remove_image(id, metered("remove_image", std::move(done)));
}
void MeteredRuntime::stats(Done<std::vector<ContainerStats>> done) {
  runtime_.stats(metered("list_container_stats", std::move(done)));
}
void MeteredRuntime::disk_usage(std::vector<std::string> pod_uids, Done<DiskUsage> done) {
  runtime_.disk_usage(std::move(pod_uids), std::move(done));
}
void MeteredRuntime::write_volume(const std::string& directory, std::map<std::string, VolumeFile> files,
                                  std::optional<int64_t> fs_group, Done<Unit> done) {
  runtime_.write_volume(directory, std::move(files), fs_group, std::move(done));
}
void MeteredRuntime::remove_pod_volumes(const std::string& pod_uid, Done<Unit> done) {
  runtime_.remove_pod_volumes(pod_uid, std::move(done));
}
void MeteredRuntime::remove_pod_directories(const std::string& pod_uid, Done<Unit> done) {
  runtime_.remove_pod_directories(pod_uid, std::move(done));
}

}  // namespace minik::control
