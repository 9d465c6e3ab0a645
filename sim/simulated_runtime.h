// SimulatedRuntime: the ContainerRuntime of a machine that does not exist. Sandboxes and containers are
// entries in tables; what takes time in the world takes drawn time here.
//
// Behaviour follows the image: how long a pull, a start, a shutdown take, when the container begins to
// answer probes, whether it exits by itself and with what code. Addresses come from the node's pod
// range. A crash of the machine is the destruction of this object; a pull of an image that was pulled
// before is quick. Control thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/rng.h"
#include "control/kubelet/container_runtime.h"

namespace minik::sim {

// A uniform draw between two durations.
struct Spread {
  Duration min, max;
  Duration draw(Rng& rng) const { return min == max ? min : rng.between(min, max); }
};

struct ImageBehaviour {
  std::string match = "*";  // a pattern of the image's reference; '*' stands for any text
  Spread pull{seconds(1), seconds(3)};
  bool preloaded = false;  // on every machine from the start
  bool missing = false;    // no registry has it
  Spread start{milliseconds(50), milliseconds(300)};
  std::string start_error;  // its program cannot be run, for this reason
  // From the start until HTTP and TCP probes succeed.
  Spread ready{milliseconds(500), seconds(2)};
  bool never_ready = false;
  Spread stop{milliseconds(100), milliseconds(500)};
  // The container ends by itself after this long.
  std::optional<Spread> exit_after;
  int exit_code = 0;
  // What one container uses while it runs, beside its share of the load.
  int64_t milli_cpu = 0;
  int64_t memory_bytes = 0;
  // Work that the running containers of this image share evenly, in thousandths of a CPU.
  int64_t load_milli_cpu = 0;
};

// The load of one image at a moment, and who shares it: all machines have one for each ImageBehaviour.
struct ImageLoad {
  int64_t milli_cpu = 0;
  int64_t running = 0;
};

bool matches_pattern(std::string_view pattern, std::string_view text);

class SimulatedRuntime : public control::ContainerRuntime {
 public:
  SimulatedRuntime(Executor& executor, Rng rng, const std::vector<ImageBehaviour>& images,
                   std::vector<ImageLoad>& loads, std::string node_name, uint32_t pod_network, Spread sandbox_time);
  ~SimulatedRuntime() override;

  // Everything takes this many times as long: a slow machine. 1 is normal.
  void set_slowness(int64_t factor) { slowness_ = factor; }
  // Kills a running container with this code, as if it had crashed.
  bool crash_container(const std::string& id, int exit_code);

  void status(Done<Unit> done) override;
  std::string version() const override { return "minik-sim://0.1.0"; }
  void run_pod_sandbox(control::PodSandboxConfig config, Done<control::PodSandboxStatus> done) override;
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
  void http_get(const std::string& sandbox_id, control::HttpProbe probe, Duration timeout, Done<int> done) override;
  void tcp_connect(const std::string& sandbox_id, const std::string& host, int port, Duration timeout,
                   Done<Unit> done) override;
  void find_image(const std::string& reference, Done<control::ImageStatus> done) override;
  void pull_image(const std::string& reference, std::optional<control::PullCredentials> credentials,
                  Done<control::ImageStatus> done) override;
  void list_images(Done<std::vector<control::ImageStatus>> done) override;
  void remove_image(const std::string& id, Done<Unit> done) override;
  void stats(Done<std::vector<control::ContainerStats>> done) override;
  void write_volume(const std::string& directory, std::map<std::string, VolumeFile> files,
                    std::optional<int64_t> fs_group, Done<Unit> done) override;
  void remove_pod_directories(const std::string& pod_uid, Done<Unit> done) override;
  std::string pod_volume_root(const std::string& pod_uid) const override;
  std::string pod_log_directory(const std::string& namespace_, const std::string& name,
                                const std::string& uid) const override;
  void on_event(std::function<void(const control::RuntimeEvent&)> listener) override;

 private:
  struct Sandbox {
    control::PodSandboxStatus status;
    std::vector<std::string> containers;  // what has been created in it and not removed
  };
  struct Container {
    control::ContainerStatus status;
    const ImageBehaviour* behaviour;
    Instant ready_at;
    bool stopping = false;
    int64_t cpu_usage_ns = 0;  // up to cpu_known_at
    WallTime cpu_known_at;
  };
  void count_cpu(Container& container) const;
  ImageLoad* load_of(const Container& container) const;
  const ImageBehaviour& behaviour_of(std::string_view image) const;
  void forget_container(const std::string& id);
  void exit_container(const std::string& id, int exit_code, int signal);
  bool answers(const std::string& sandbox_id) const;
  template <typename T>
  void answer(Duration delay, Done<T> done, Result<T> result);
  control::ImageStatus image_status(const std::string& reference) const;

  Executor& executor_;
  Rng rng_;
  const std::vector<ImageBehaviour>& images_;
  std::vector<ImageLoad>& loads_;
  std::string node_name_;
  uint32_t pod_network_;
  uint32_t next_address_ = 1;
  Spread sandbox_time_;
  int64_t slowness_ = 1;
  uint64_t next_id_ = 1;
  std::map<std::string, Sandbox> sandboxes_;
  std::map<std::string, Container> containers_;
  std::set<std::string> pulled_;
  std::function<void(const control::RuntimeEvent&)> listener_;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::sim
