// Kubelet: the agent of one node. Registers the Node, keeps its Lease and conditions fresh, and has a
// PodWorker for every pod that is bound to it.
//
// On start it registers its Node, once: one that somebody deletes comes back with the agent's next start. It lists the
// runtime's sandboxes and containers and adopts what belongs to its pods: running containers go on without a restart,
// those that ended with the machine are what their successors were last; what belongs to no pod is stopped and removed. A settled node
// writes its Lease every 10 s and its status every 5 minutes, nothing else. It watches its own Node: what others have
// made of the status there (called the node lost, given it a resource) is answered within 10 s.
//
// One for each node, real or simulated; control thread only; may be destroyed at any moment.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/metrics.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/client/informer.h"
#include "control/kubelet/kubelet_metrics.h"
#include "control/kubelet/pod_worker.h"
#include "control/kubelet/pressure_watch.h"
#include "control/kubelet/usage_sampler.h"

namespace minik::control {

struct KubeletConfig {
  std::string node_name;
  std::map<std::string, std::string> labels;
  Value taints;  // spec.taints at registration, or absent
  std::vector<std::string> addresses;  // InternalIP
  std::string pod_cidr;
  int64_t milli_cpu = 0;
  int64_t memory_bytes = 0;
  int64_t ephemeral_bytes = 0;
  int64_t pods_max = 110;
  int64_t processes_max = 0;  // process numbers that there are; 0: nobody watches how many are taken
  std::string cluster_domain = "cluster.local";
  std::string dns_address = "10.96.0.10";
  std::vector<std::string> host_dns_servers, host_dns_searches;
  // status.nodeInfo as the machine says it: osImage, kernelVersion, architecture, machineID…
  Value node_info;
  // The machine's own counters; none: the node uses what its containers do.
  std::function<MachineReading()> read_machine;
  MetricRegistry* metrics = nullptr;  // none: nothing is counted
  Duration lease_period = seconds(10);
  Duration status_period = minutes(5);
  Duration correction_period = seconds(10);  // nodeStatusUpdateFrequency: for what is not as it should be
  EvictionOptions eviction;
  // Asked after each renewal: may the node rest, since nobody looks at its heartbeats? A simulation says yes where
  // nothing disturbs it. None: it never does.
  std::function<bool()> may_rest;
};

// Where the bytes of a connect request are to be found.
struct ContainerLocation {
  std::string sandbox_id, container_id;
  std::string log_path;
  bool tty = false;
};

class Kubelet {
 public:
  // The informer of Services is shared by the nodes of a process; it may be null (no service variables).
  Kubelet(KubeletConfig config, Executor& executor, Client& client, ContainerRuntime& runtime,
          const ObjectCache* services, Rng rng);
  ~Kubelet();
  Kubelet(const Kubelet&) = delete;
  Kubelet& operator=(const Kubelet&) = delete;

  void start();
  // The machine is about to stop: all containers end as those of deleted pods do, hooks and grace included, in `most` at the
  // latest. Then, or when somewhat more has passed all the same, `done`. The pods stay as they are in the API.
  void shut_down(Duration most, std::function<void()> done);
  // A ConfigMap or Secret is new, has changed or has gone: pods that mount it see the new files at once. Whoever
  // has an informer of them tells; without, volumes stay as they were when their pod started.
  void on_reference(KindId kind, const Value& before, const Value& after);
  // Whoever knows that what the node has left has changed says so; see pressure_watch.h.
  void look_at_resources() { pressure_.look(); }
  void look_at_resources_soon() { pressure_.look_soon(); }
  const std::string& node_name() const { return config_.node_name; }

  // A node at rest writes neither Lease nor status, and counts as if it did. From wake() on it does again, at the
  // moments at which it would have anyway.
  void wake();
  // When a Lease that was not written would have been renewed last; 0: it has never rested.
  Instant spoke_at() const;

  // For exec, attach, port-forward and logs. An empty container name means the pod's only or first one.
  Result<ContainerLocation> locate(const Value& pod, const std::string& container, bool previous) const;
  // What the machine and its containers use; see usage_sampler.h.
  void usage(UsageCallback done) { usage_.ask(std::move(done)); }

 private:
  std::unique_ptr<ResizeRefusal> resize_refusal(const Value& pod) const;
  void register_node();
  void renew_lease();
  void write_lease();
  void report_status();
  void write_node_status(int tries);
  void report_within(Duration delay);
  void rest_if_allowed();
  void on_node(const Value& node);
  // Whether the stored status says what this agent would say.
  bool is_as_said(const Value& status) const;
  PressureWatch::Workers workers() const;
  PressureListener pressure_listener();
  std::string_view condition_event(NodePressure pressure) const;
  void tell_condition(std::string_view reason);
  void tell_what_changed(const Value& before, const Value& status);
  void node_event(std::string type, std::string reason, std::string message);
  void recover();
  void sweep(const std::string& uid);
  void on_pod(const Value& before, const Value& after);
  // Of the Node, as it stands before a pod that is new here.
  enum class NodeNews : uint8_t { kWatched, kAsked };
  void take_in(const Value& pod, const Value& node, NodeNews news);
  void look_at_node_for(const Value& pod);
  Value known_node() const;
  NodeLoad load() const;
  std::vector<RunningContainer> running_containers() const;
  KubeletMetrics::Running running_now() const;
  Value make_node() const;
  Value make_node_status(const Value& old) const;
  Value make_conditions(const Value& old) const;

  KubeletConfig config_;
  Executor& executor_;
  Client& client_;
  ContainerRuntime& runtime_;
  EventRecorder events_;
  KubeletContext context_;
  Informer pods_, node_;
  std::map<std::string, std::shared_ptr<PodWorker>> workers_;  // by uid
  // What the runtime has from before, until a pod claims it: by the pod's uid, and by the sandbox's id.
  std::map<std::string, std::vector<PodSandboxStatus>> found_sandboxes_;
  std::multimap<std::string, ContainerStatus> found_containers_;
  Value images_;
  std::string runtime_error_;
  Value lease_;
  bool registered_ = false, shutting_down_ = false;
  bool unschedulable_ = false;  // as its Node was seen last
  PressureWatch pressure_;
  Instant renewed_at_;  // its Lease; none yet: 0
  UsageSampler usage_;
  std::optional<KubeletMetrics> metrics_;
  ScopedTimer lease_timer_, status_timer_, retry_timer_;
  int lease_tries_ = 0;  // in this period
  Instant lease_due_, status_due_;  // when the timers come, or would if the node did not rest
  bool resting_ = false;
  Instant rested_until_;
  bool images_unsaid_ = false;  // some were pulled since the last status
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
