// SimulatedRuntime: the ContainerRuntime of a machine that does not exist. Sandboxes and containers are
// entries in tables; what takes time in the world takes drawn time here.
//
// Behaviour follows the image (ImageBehaviour): how long a pull, a start, a shutdown take, when the container
// begins to answer probes, whether it exits, crashes or grows until its limit kills it, and how it fares under its
// share of the load. What its surroundings refuse, it lacks: images of a dead registry, names, other services.
//
//   created --start--> running --ready--> answers probes
//                         |  exit, crash, out of memory, stop, kill
//                         +--> exited
//
// What its containers want of the machine's processors it tells its owner (on_cpu_wanted), who slows the machine down. Those
// that together have all of its memory lose the one that the kernel would choose, by oom_score.
// Containers that ask the API server do so with the token that was projected into their pod last.
//
// Addresses come from the node's pod range. What is on the disk outlives the machine's power (power_off()): images, what pods
// have written, and the records of sandboxes and containers. Runs on the machine's own executor. Not modelled: what containers say on
// standard output, traffic between pods as packets.
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
#include "sim/by_id.h"
#include "sim/simulated_disk.h"
#include "sim/surroundings.h"

namespace minik::sim {

class SimulatedRuntime : public control::ContainerRuntime {
 public:
  SimulatedRuntime(Executor& executor, Rng rng, Surroundings& surroundings, std::string node_name, uint32_t pod_network);
  ~SimulatedRuntime() override;

  // All that runs ends without a word, and what was asked for is never answered; whoever listened no longer does. What is
  // asked from now on finds the machine as its next life does.
  void power_off();

  // Everything takes this many times as long: a slow machine. 1 is normal.
  void set_slowness(int64_t factor);
  // Pulls, creations and starts take so many times as long besides.
  void set_disk_slowness(int64_t factor) { disk_slowness_ = factor; }
  // Nothing can be pulled or made.
  void set_disk_full(bool full) { disk_.set_full(full); }
  void set_disk_capacity(int64_t bytes) { disk_.set_capacity(bytes); }
  // 0: as much as anybody likes.
  void set_cpu_capacity(int64_t milli_cpu) { milli_cpu_ = milli_cpu; }
  void set_memory_capacity(int64_t bytes) { memory_bytes_ = bytes; }
  // Brings the counters of its containers up to this moment.
  void count_cpu();
  // Whether what its containers use of its memory changes while none of them starts.
  bool memory_moves() const;
  // Told when one has begun that uses memory.
  void on_memory_used(std::function<void()> listener) { memory_used_listener_ = std::move(listener); }
  // The running containers of a pod, or the one of this name.
  std::vector<std::string> running_containers(const std::string& pod_uid, const std::string& container) const;
  // Ends a running container with this code, as if it had crashed.
  bool crash_container(const std::string& id, int exit_code);
  void kill_for_memory(const std::string& id);
  // It answers no request and no signal: only SIGKILL ends it. Its port takes connections.
  void hang_container(const std::string& id, bool hung);
  // Of all containers of a pod, also those to come, until it is set back.
  void set_probes_fail(const std::string& pod_uid, bool fail);
  // Told what all running containers together want, in thousandths of a CPU, when that changes; their limits bound it.
  void on_cpu_wanted(std::function<void(int64_t milli_cpu)> listener) { cpu_wanted_listener_ = std::move(listener); }

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
  void http_get(const std::string& sandbox_id, control::HttpProbe probe, Duration timeout, Done<control::HttpAnswer> done) override;
  void grpc_check(const std::string& sandbox_id, control::GrpcProbe probe, Duration timeout, Done<Unit> done) override;
  void tcp_connect(const std::string& sandbox_id, const std::string& host, int port, Duration timeout,
                   Done<Unit> done) override;
  bool probes_settled(const std::string& sandbox_id) const override;
  void find_image(const std::string& reference, Done<control::ImageStatus> done) override;
  void pull_image(const std::string& reference, std::optional<control::PullCredentials> credentials,
                  Done<control::ImageStatus> done) override;
  void list_images(Done<std::vector<control::ImageStatus>> done) override;
  void remove_image(const std::string& id, Done<Unit> done) override;
  void stats(Done<std::vector<control::ContainerStats>> done) override;
  void disk_usage(std::vector<std::string> pod_uids, Done<control::DiskUsage> done) override;
  // Machines that do not exist have whatever a volume wants of them.
  void check_host_path(HostPath, Done<Unit> done) override { answer<Unit>(Duration{}, std::move(done), Unit{}); }
  void write_volume(const std::string& directory, std::map<std::string, VolumeFile> files,
                    std::optional<int64_t> fs_group, Done<Unit> done) override;
  void remove_pod_volumes(const std::string& pod_uid, Done<Unit> done) override;
  void remove_pod_directories(const std::string& pod_uid, Done<Unit> done) override;
  std::string pod_volume_root(const std::string& pod_uid) const override;
  std::string pod_log_directory(const std::string& namespace_, const std::string& name,
                                const std::string& uid) const override;
  void on_event(std::function<void(const control::RuntimeEvent&)> listener) override;

 private:
  struct Container;
  struct Sandbox {
    control::PodSandboxStatus status;
    std::vector<Container*> containers;  // what has been created in it and not removed
  };
  struct Container {
    control::ContainerStatus status;
    const ImageBehaviour* behaviour;
    Instant ready_at;
    bool hung = false, spins = false;
    bool api_answers = true;  // to what it has asked last
    int64_t memory_limit_bytes = 0, milli_cpu_limit = 0;  // 0: none
    int64_t oom_score_adj = 0;
    std::set<std::string> empty_dirs;  // that it may write to
    int64_t cpu_usage_ns = 0;  // up to cpu_known_at_
  };
  int64_t milli_cpu_of(const Container& container) const;
  // Before a container begins to run, and before it no longer does.
  void join_load(const Container& container);
  void leave_load(const Container& container);
  ImageLoad* load_of(const Container& container) const;
  const ImageBehaviour& behaviour_of(std::string_view image) const;
  int64_t requests_of(const Container& container) const;
  // What it wants, which its limit may be in the way of, and what it has.
  int64_t memory_of(const Container& container) const;
  int64_t held_memory_of(const Container& container) const;
  void memory_used(const ImageBehaviour& by);
  void look_at_memory();
  bool lacks_what_it_needs(const Container& container) const;
  void count_cpu_wanted();
  void ask_api(const std::string& id);
  void started(const std::string& id, Container& container);
  void look_after(const std::string& id);
  void forget_container(const std::string& id);
  // Of the signal that ended it a container runtime says nothing but the exit code.
  void exit_container(const std::string& id, int exit_code);
  void end_container(const std::string& id, int exit_code, std::string_view reason);
  // Whether a probe of this container succeeds, and how long it takes.
  bool answers(const Sandbox& sandbox, const Container& container);
  bool answers(const Sandbox& sandbox);
  bool hangs(const Sandbox& sandbox) const;
  void unsettle_probes(const std::string& sandbox_id);
  void tell(const control::RuntimeEvent& event);
  Duration probe_time(const Container& container) const;
  Duration probe_time(const Sandbox& sandbox) const;
  bool disk_has_room() const { return disk_.has_room(executor_.now()); }
  void write_to_disk(const std::string& id, const Container& container);
  Error disk_full_error(std::string_view what) const;
  template <typename T>
  void answer(Duration delay, Done<T> done, Result<T> result) {
    executor_.after(delay * slowness_, [alive = alive_, done = std::move(done), result = std::move(result)]() mutable {
      if (*alive) done(std::move(result));
    });
  }
  control::ImageStatus image_status(const std::string& reference) const;

  Executor& executor_;
  Rng rng_;
  Surroundings& surroundings_;
  std::string node_name_;
  uint32_t pod_network_;
  uint32_t next_address_ = 1;
  int64_t slowness_ = 1, disk_slowness_ = 1;
  std::set<std::string> failing_probes_;        // by pod uid
  std::map<std::string, std::string> tokens_;  // by pod uid, the one that was projected last; of those that ask
  int64_t milli_cpu_ = 0, memory_bytes_ = 0;
  Instant cpu_known_at_;
  bool memory_watched_ = false;
  std::function<void()> memory_used_listener_;
  int64_t milli_cpu_wanted_ = 0;
  std::function<void(int64_t)> cpu_wanted_listener_;
  uint64_t next_id_ = 1;
  ById<Sandbox> sandboxes_;
  ById<Container> containers_;
  std::set<std::string> pulled_;
  SimulatedDisk disk_;
  std::function<void(const control::RuntimeEvent&)> listener_;
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::sim
