// PodWorker: brings one pod of this node to what its spec wants, level by level.
//
//   volumes -> sandbox -> init containers, one by one -> containers -> (probes, restarts) -> ended
//      deletion at any point: preStop, stop signal, grace -> remove -> final status -> API delete
//      a sandbox that is lost (the machine was off): a new one, and all from the start but for what must not run again
//
// sync() looks at the pod and its state and starts at most one step; when the step's answer comes, it
// looks again. Nothing is remembered that could not be found in the runtime's lists and the API, so a
// restarted node agent goes on where the old one was killed. The worker writes the pod's status when it
// differs from what was last written, one write at a time.
//
// Owned by the Kubelet; control thread only. Callbacks of a destroyed worker do nothing.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/base/executor.h"
#include "control/base/rng.h"
#include "control/client/client.h"
#include "control/client/event_recorder.h"
#include "control/kubelet/container_runtime.h"
#include "control/kubelet/environment.h"
#include "control/kubelet/eviction.h"
#include "control/kubelet/kubelet_metrics.h"
#include "control/kubelet/node_admission.h"
#include "control/kubelet/pod_state.h"
#include "control/kubelet/probe.h"
#include "control/kubelet/volumes.h"

namespace minik::control {

// What all workers of a node share; the Kubelet's.
struct KubeletContext {
  Executor& executor;
  Client& client;
  ContainerRuntime& runtime;
  EventRecorder& events;
  Rng rng;
  std::string node_name;
  std::vector<std::string> host_ips;
  std::string cluster_domain, dns_address;
  std::vector<std::string> host_dns_servers, host_dns_searches;
  int64_t node_memory_bytes = 0;
  Value node_allocatable;
  std::function<std::vector<Value>(std::string_view namespace_)> services;
  std::function<void(const std::string& uid)> worker_done;
  // Why the node has no room for this pod as its spec is now; null when it has.
  std::function<std::unique_ptr<ResizeRefusal>(const Value& pod)> resize_refusal;
  KubeletMetrics* metrics = nullptr;  // may be null
  std::function<void(const std::string& id)> image_pulled = {};
};

class PodWorker : public std::enable_shared_from_this<PodWorker> {
 public:
  PodWorker(KubeletContext& context, Value pod);
  ~PodWorker();

  // A new version of the pod from the API.
  void update(Value pod);
  // The pod is gone from the API: stop what is left, write nothing more.
  void forget_pod();
  // A ConfigMap or Secret has changed or gone, which this pod may mount.
  void on_reference(KindId kind, const Value& before, const Value& after);
  // What the runtime has of it from before this agent: one sandbox for each life of the machine, and what is in them.
  void adopt(std::vector<PodSandboxStatus> sandboxes, std::vector<ContainerStatus> containers);
  // Something in the runtime changed without being asked for.
  void on_container_event(const std::string& container_id);
  // Probes that rest are asked again, each at the next beat of its period.
  void wake_probes();
  void sync();
  // The node gives the pod up: its containers have next to no grace, and it has Failed for this reason.
  void evict(std::string message, EvictionCause cause);
  // The node does not let the pod in: nothing of it begins, and it has Failed.
  void reject(std::string reason, std::string message);
  // The machine is about to stop: the containers end as they do with a deleted pod, in `most` at the latest. The pod itself
  // goes on with the machine's next life, so that nothing is said of it and nothing begun any more.
  void shut_down(Duration most, std::function<void()> then);
  // Of a pod that has ended nothing stays on this machine, its logs among it; false when there is nothing to remove.
  bool remove_remains(std::function<void()> done);

  const Value& pod() const { return pod_; }
  const PodState& state() const { return state_; }
  // What it takes of the node's room.
  PodShare share() const;
  // The API knows it, and not as one that has ended: whoever sends pods here counts with it.
  bool takes_room() const { return !state_.terminal && !gone_ && !ended_before_; }
  // Neither ended nor about to.
  bool is_active() const;

 private:
  // Until what was missing or refused is asked for again.
  static constexpr Duration kRetry = seconds(2);
  static constexpr Duration kPostStartMax = minutes(2);
  // A container has at least so long to end, whatever its pod's grace says and its hook has left of it.
  static constexpr Duration kGraceMin = seconds(2);
  static constexpr int64_t kEvictionGraceSeconds = 1;

  enum class ProbeKind : uint8_t { kStartup, kReadiness, kLiveness };
  // A probe of one running container. Answers hold it weakly: who no longer probes hears none.
  struct ProbeRun : std::enable_shared_from_this<ProbeRun> {
    std::string container, container_id;
    ProbeKind kind;
    Probe probe;
    bool asking = false;
    bool resting = false;  // the runtime tells when it is worth asking again
    bool outdated = false;  // something has changed since it was asked, so that its answer does not let it rest
    Instant asked_at;
    TimerId timer;

    ProbeRun(std::string name, std::string id, ProbeKind k, const Value& spec)
        : container(std::move(name)), container_id(std::move(id)), kind(k), probe(spec) {}
  };

  // What a container's answer says of it.
  struct ProbeFinding {
    std::optional<std::string> failure = {};  // what is wrong with it; none: nothing
  };

  // Of a running container, from its preStop hook to its exit. Who asks for its end meanwhile waits for the same one.
  struct Stop {
    std::string container;
    Instant deadline;        // of the shortest grace that somebody has given it
    int turn = 0;            // those of earlier turns end before it is told, unless its deadline comes first
    bool hook_over = false;  // or no longer waited for
    bool signalled = false;
    std::vector<std::function<void()>> then;
  };

  // From its beginning to the image, or to the refusal of the last credentials that there are for it.
  struct Pull {
    Value container;
    std::string image;
    size_t secrets_asked = 0;
    std::vector<Value> secrets = {};
    std::vector<std::string> secrets_missing = {};
    std::vector<std::optional<PullCredentials>> credentials = {};
    size_t tried = 0;
    Instant begun = {};
  };

  // Steps of sync(); true when one was started and sync() must end.
  bool prepare();
  bool fetch_references();
  bool fetch_claims();
  void claim_not_ready(const Value& volume, const std::string& claim, const std::string& why);
  Value pod_with_claimed_volumes() const;
  bool fetch_tokens();
  ApiRequest token_request(const TokenNeed& need) const;
  void renew_tokens();
  Result<std::vector<VolumeContent>> contents_now() const;
  void write_changed(const Result<std::vector<VolumeContent>>& before);
  bool write_volumes();
  void adopt_container(ContainerStatus container);
  void mount_later();
  bool run_sandbox();
  void make_sandbox();
  bool is_over_with_its_sandbox() const;
  void leave_former_sandboxes();
  void drop_former_sandboxes();
  bool run_init_containers();
  bool run_containers();
  bool run_sidecars();
  // pod_changes.cpp: what a running pod is asked to be besides what it began as.
  bool run_ephemeral_containers();
  void replace_container(const std::string& name, const std::string& why);
  bool replace_changed_containers();
  void forgive_changed_images(const Value& before);
  void try_again_now(ContainerRecord& record);
  bool resize_containers();
  bool resize_container(const Value& container, ContainerRecord& record);
  bool restart_or_wait(const Value& container, ContainerRole role);
  void start_container(const Value& container);
  void pull_then_create(const Value& container, const std::string& image);
  void fetch_pull_secrets(const std::shared_ptr<Pull>& pull);
  void pull_image(const std::shared_ptr<Pull>& pull);
  void create_container(const Value& container, const ImageStatus& image);
  void on_started(const Value& container, const ContainerStatus& status);
  void on_up(const Value& container, const std::string& id);
  void keep_as_last(ContainerRecord& record);
  void count_start(const Value& container);
  void pull_failed(const Pull& pull, const Error& error);
  void image_failed(const Value& container, std::string_view reason, const std::string& message);
  void start_failed(const Value& container, std::string_view reason, const Error& error, Duration first_back_off);
  void wait_to_start(const Value& container, std::string_view reason, const std::string& message, Duration first_back_off);
  void check_deadline();

  void terminate();
  Duration grace() const;
  void hasten_stops();
  void stop_containers(Duration grace, std::function<void()> then);
  int stop_turn(const std::string& name) const;
  void stop_one(const std::string& name, Duration grace, const std::string& why, std::function<void()> then, int turn = 0);
  void join_stop(const std::string& id, Stop& stop, Instant deadline, std::function<void()> then);
  void signal_at(const std::string& id, Instant deadline);
  void signal_stop(const std::string& id);
  void stop_in_runtime(const std::string& id, const Stop& stop);
  void on_stopped(const std::string& id, Result<ContainerStatus> status);
  void remove_everything();
  void finish_deletion();

  void refresh_container(const std::string& id);
  void on_exited(const std::string& name, ContainerStatus status);
  bool wants_restart(const Value& container, const ContainerRecord& record, ContainerRole role) const;

  // pod_hooks.cpp
  void run_hook(const Value& container, const std::string& id, const Value& hook, Duration limit, std::function<void(Status)> done);
  void get_for_hook(HttpProbe request, Duration limit, std::function<void(Status)> done);
  void run_post_start(const Value& container, const std::string& id);
  void run_pre_stop(const Value& container, const std::string& id, Duration grace, std::function<void()> then);

  static std::string_view title_of(ProbeKind kind);
  // Of a probe or a hook.
  static Result<HttpProbe> http_request(const Value& action, const Value& container);
  void start_probes(const Value& container, const std::string& id);
  void stop_probes();
  void stop_probes(const std::string& container_name);
  ProbeRun* find_probe(const std::string& container_name, ProbeKind kind) const;
  void arm_probe(ProbeRun& run, Duration delay);
  void arm_next(ProbeRun& run);
  void ask_probe(ProbeRun& run);
  // An error: the question could not be asked.
  void on_probe(const std::shared_ptr<ProbeRun>& run, const Result<ProbeFinding>& finding);
  void on_probe_warning(const ProbeRun& run, const std::string& warning);

  void write_status();
  void look_again();
  ApiRequest request_for_pod(Verb verb) const;
  void event(std::string type, std::string reason, std::string message, const Value& container = {});
  const Value& reference_to(const Value& container);
  // sync() comes back by then.
  void later(Duration delay);
  // Wraps a callback so that it clears the busy mark, does nothing after destruction, and syncs.
  template <typename T>
  std::function<void(Result<T>)> step(std::function<void(Result<T>)> then) {
    busy_ = true;
    return [this, alive = alive_, then = std::move(then)](Result<T> result) {
      if (!*alive) return;
      busy_ = false;
      then(std::move(result));
      if (*alive) sync();
    };
  }
  PodSurroundings surroundings() const;
  const Value* find_container(std::string_view name) const;
  std::vector<std::string> pod_ips() const;

  KubeletContext& context_;
  Value pod_;
  PodState state_;
  std::map<std::string, Value> config_maps_, secrets_;
  TokensByPath tokens_;
  // PersistentVolumeClaims by name, and what they are bound to; fetched once, as a bond lasts.
  std::map<std::string, Value> claims_, claimed_volumes_;
  bool references_fetched_ = false, volumes_written_ = false;
  Duration mount_back_off_;
  Instant references_due_;  // they are not asked for before this
  bool busy_ = false;
  bool gone_ = false;         // no longer in the API
  bool terminating_ = false;
  bool evicted_ = false;
  bool shutting_down_ = false;
  bool ended_before_ = false;  // in an earlier life of this machine, or by another's word: its status stays as it is
  bool removed_ = false;      // nothing of it is left in the runtime
  bool remains_removed_ = false;  // the same, of a pod that is still in the API
  bool deleting_in_api_ = false, deleted_in_api_ = false;
  bool status_in_flight_ = false;
  Value subject_;  // the last thing that an Event was about
  Value written_status_;       // as the server has it, as far as this node knows
  Revision written_revision_;  // of this node's last word about it
  std::optional<uint64_t> said_;  // the digest of a state about which nothing more is to be written
  // Of containers that ended before the answer to their start came, by id.
  std::map<std::string, ContainerStatus> early_ends_;
  std::vector<std::shared_ptr<ProbeRun>> probes_;
  std::map<std::string, Stop> stops_;  // by the container's id
  ScopedTimer wake_;
  Instant wake_due_;
  ScopedTimer deadline_;
  ScopedTimer renewal_;  // of the tokens, before the first of them ends
  uint32_t sandbox_attempt_ = 0;
  std::vector<std::string> former_sandboxes_;  // ids of those whose containers are still its last, with their logs
  mutable std::optional<PodShare> share_;
  std::optional<Instant> seen_;  // until its start has been counted; none: it ran before this agent did
  std::shared_ptr<bool> alive_;
};

}  // namespace minik::control
