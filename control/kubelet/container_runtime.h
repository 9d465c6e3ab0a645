// ContainerRuntime: the node agent's edge to containers, in the shape of CRI (runtime.v1): pod
// sandboxes, containers, images, exec, stats. One of the five edges between the two worlds: runtime/
// behind an adapter in minik/process, simulated machines in sim/simulated_runtime.h.
//
// Everything is asynchronous: a call returns at once and its callback runs later on the control thread,
// exactly once, never from inside the call. Ids are the runtime's; names and labels are the kubelet's,
// and come back in the lists, which is how a restarted kubelet knows its pods again. Calls are
// idempotent where CRI's are: stopping what is stopped and removing what is gone succeed.
//
// Differences from CRI: containers' exits are pushed (on_event) rather than polled, mounts name their
// kind so that the runtime makes emptyDir and memory volumes itself, and errors carry the reason that a
// kubelet shows (ErrImagePull, ErrImageNeverPull, CreateContainerError, RunContainerError).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"

namespace minik::control {

using Labels = std::map<std::string, std::string>;

struct PodSandboxConfig {
  std::string namespace_;
  std::string name;
  std::string uid;
  uint32_t attempt = 0;
  std::string hostname;
  std::string full_name;  // hostname.subdomain.namespace.svc.domain; empty without a subdomain
  bool goes_by_full_name = false;  // its processes see that as their host's
  bool host_network = false;
  bool host_pid = false;
  bool host_ipc = false;
  bool share_process_namespace = false;
  std::map<std::string, std::string> sysctls;
  // What becomes /etc/resolv.conf.
  std::vector<std::string> dns_servers;
  std::vector<std::string> dns_searches;
  std::vector<std::string> dns_options;
  // Added lines of /etc/hosts: address and names.
  std::vector<std::pair<std::string, std::vector<std::string>>> host_aliases;
  struct PortMapping {
    int container_port = 0;
    int host_port = 0;
    std::string protocol;
    std::string host_ip;
  };
  std::vector<PortMapping> ports;
  // Limits of the whole pod's cgroup; 0 is none.
  int64_t memory_limit_bytes = 0;
  int64_t cpu_quota_us = 0;
  int64_t cpu_shares = 0;
  Labels labels;

  const std::string& shown_hostname() const { return goes_by_full_name ? full_name : hostname; }
};

struct PodSandboxStatus {
  std::string id;
  std::string namespace_, name, uid;
  uint32_t attempt = 0;
  bool ready = false;
  WallTime created;
  std::vector<std::string> ips;  // empty with host network: the node's
};

struct KeyValue {
  std::string key, value;
};

struct ContainerMount {
  enum class Kind : uint8_t {
    kHostPath,  // host_path is a directory or file of the machine's that the pod names
    kClaim,     // host_path is where the volume behind a claim lies
    kProjected, // host_path is a directory of what the API has: written by write_volume, and by nobody else
    kEmptyDir,  // host_path is a directory under the pod's volume root; made by the runtime when missing
    kMemory,    // a tmpfs shared by the pod's containers that name the same host_path
  };
  Kind kind = Kind::kHostPath;
  std::string host_path;
  // The part of it that is mounted, with links that a container may have made: the runtime sees to it that it is inside, and
  // makes the directories that are missing, also of a key that a ConfigMap lacks.
  std::string sub_path;
  std::string container_path;
  bool read_only = false;
  std::string propagation;  // "", "HostToContainer", "Bidirectional"
  int64_t size_limit_bytes = 0;
  // Of one whose host_path is missing: the directory that is made has this mode; 0: none is made.
  int mode_when_missing = 0;
};

struct ContainerSecurity {
  bool privileged = false;
  bool read_only_root = false;
  bool no_new_privileges = false;
  bool own_users = false;  // hostUsers: false, the pod's root being nobody outside
  std::optional<int64_t> run_as_user;
  std::optional<int64_t> run_as_group;
  std::optional<int64_t> fs_group;
  bool run_as_non_root = false;
  std::vector<int64_t> supplemental_groups;
  bool image_groups = true;  // also those of the image's /etc/group (supplementalGroupsPolicy: Merge)
  std::vector<std::string> add_capabilities, drop_capabilities;
  std::string seccomp;  // "", "RuntimeDefault", "Unconfined" or "Localhost/<profile>"
};

struct ContainerResources {
  int64_t cpu_shares = 0;
  int64_t cpu_quota_us = 0;
  int64_t cpu_period_us = 100000;
  int64_t memory_limit_bytes = 0;
  int64_t pids_limit = 0;
  int64_t oom_score_adj = 0;
};

struct ContainerConfig {
  std::string name;
  uint32_t attempt = 0;
  std::string image;  // the id that pull_image or find_image gave
  std::vector<std::string> command, args;  // empty: the image's own
  std::string working_dir;
  std::vector<KeyValue> env;
  std::vector<ContainerMount> mounts;
  ContainerSecurity security;
  ContainerResources resources;
  // A running container of the same sandbox whose processes this one sees; empty: only its own.
  std::string processes_of;
  bool stdin_open = false, stdin_once = false, tty = false;
  std::string log_path;               // absolute; CRI log format
  std::string termination_message_path;  // its log stands in where a label says FallbackToLogsOnError
  std::string stop_signal;            // empty: the image's, else SIGTERM
  Labels labels;
};

enum class ContainerState : uint8_t { kCreated, kRunning, kExited, kUnknown };

struct ContainerStatus {
  std::string id;
  std::string sandbox_id;
  std::string name;
  uint32_t attempt = 0;
  ContainerState state = ContainerState::kUnknown;
  WallTime created, started, finished;
  int exit_code = 0;
  int signal = 0;
  std::string reason;   // "OOMKilled", "Completed", "Error", "ContainerCannotRun"…
  std::string message;  // also the termination message
  std::string image;      // the reference as asked for
  std::string image_id;
};

struct ImageStatus {
  std::string id;  // the digest that containers are created from
  std::vector<std::string> tags;     // "docker.io/library/nginx:1.25"
  std::vector<std::string> digests;  // "repo@sha256:…"
  int64_t size_bytes = 0;
  std::string user;  // of the image's config, for runAsNonRoot
};

struct PullCredentials {
  std::string username, password;
};

struct ExecResult {
  int exit_code = 0;
  std::string out, err;  // bounded to 64 KiB together: enough for any probe's message
};

struct ContainerStats {
  std::string id, name, sandbox_id;
  int64_t cpu_usage_ns = 0;  // since the container's start
  int64_t memory_working_set_bytes = 0;
  int64_t memory_usage_bytes = 0;
  int64_t pids = 0;
};

// The file system under images, writable layers, logs and emptyDir volumes: how much is left, and who has written how much.
struct DiskUsage {
  struct Pod {
    std::map<std::string, int64_t> containers;  // layers and logs, also of those that have ended and are still there
    std::map<std::string, int64_t> volumes;     // emptyDir volumes on the disk, not those in memory
    int64_t inodes = 0;                         // all of these together
  };
  int64_t capacity_bytes = 0, available_bytes = 0;  // no capacity: nobody measures it
  int64_t inodes = 0, inodes_free = 0;              // likewise
  std::map<std::string, Pod> pods;                  // by uid
};

// What happened without being asked for.
struct RuntimeEvent {
  enum class Kind : uint8_t { kContainerExited, kContainerOomKilled, kSandboxLost, kProbesUnsettled };
  Kind kind = Kind::kContainerExited;
  std::string sandbox_id, container_id;
};

// The GET of a probe or a hook.
struct HttpProbe {
  std::string host;  // an address or a name; empty: the pod's
  int port = 0;
  std::string path;
  bool https = false;  // whoever shows whatever certificate
  std::vector<KeyValue> headers;
  std::string user_agent = "kube-probe/1.35";  // unless the headers name another
};

// What came at the end of the redirects that stay with the host; one that leaves it is the answer itself.
struct HttpAnswer {
  int status = 0;
  std::string body;  // its first 10 KiB
};

// A question to the pod's health service, grpc.health.v1.Health, over HTTP/2 without TLS.
struct GrpcProbe {
  int port = 0;
  std::string service;  // empty: the server as a whole
};

class ContainerRuntime {
 public:
  template <typename T>
  using Done = std::function<void(Result<T>)>;

  virtual ~ContainerRuntime() = default;

  // Whether the runtime and its network can start pods: conditions of the node. An error names why.
  virtual void status(Done<Unit> done) = 0;
  virtual std::string version() const = 0;  // "minik://0.1.0"

  // The network is up when this succeeds; the status carries the addresses.
  virtual void run_pod_sandbox(PodSandboxConfig config, Done<PodSandboxStatus> done) = 0;
  // Kills what is left in it and takes the network down; the sandbox stays listed until removed.
  virtual void stop_pod_sandbox(const std::string& id, Done<Unit> done) = 0;
  virtual void remove_pod_sandbox(const std::string& id, Done<Unit> done) = 0;
  virtual void list_pod_sandboxes(Done<std::vector<PodSandboxStatus>> done) = 0;

  virtual void create_container(const std::string& sandbox_id, ContainerConfig config,
                                Done<std::string> done) = 0;
  virtual void start_container(const std::string& id, Done<ContainerStatus> done) = 0;
  // The stop signal, then SIGKILL after the grace; done when it has exited.
  virtual void stop_container(const std::string& id, Duration grace, Done<Unit> done) = 0;
  virtual void remove_container(const std::string& id, Done<Unit> done) = 0;
  // Other limits for a running container, without a restart.
  virtual void update_container(const std::string& id, const ContainerResources& resources, Done<Unit> done) = 0;
  virtual void container_status(const std::string& id, Done<ContainerStatus> done) = 0;
  virtual void list_containers(Done<std::vector<ContainerStatus>> done) = 0;

  virtual void exec_sync(const std::string& id, std::vector<std::string> command, Duration timeout,
                         Done<ExecResult> done) = 0;
  // Probes from the node into the pod's network; the timeout covers all of one. An error's message is what a user
  // reads. A server that answers HTTPS in plain HTTP is kBadRequest.
  virtual void http_get(const std::string& sandbox_id, HttpProbe probe, Duration timeout,
                        Done<HttpAnswer> done) = 0;
  // Succeeds when the service says SERVING.
  virtual void grpc_check(const std::string& sandbox_id, GrpcProbe probe, Duration timeout, Done<Unit> done) = 0;
  virtual void tcp_connect(const std::string& sandbox_id, const std::string& host, int port,
                           Duration timeout, Done<Unit> done) = 0;

  // Whether probes of this sandbox that succeed now succeed until an event about it says that they are unsettled, so that
  // asking again is in vain. A runtime that watches real programs can't know.
  virtual bool probes_settled(const std::string& sandbox_id) const {
    static_cast<void>(sandbox_id);
    return false;
  }

  // Not found is an error of code kNotFound.
  virtual void find_image(const std::string& reference, Done<ImageStatus> done) = 0;
  virtual void pull_image(const std::string& reference, std::optional<PullCredentials> credentials,
                          Done<ImageStatus> done) = 0;
  virtual void list_images(Done<std::vector<ImageStatus>> done) = 0;
  virtual void remove_image(const std::string& id, Done<Unit> done) = 0;

  virtual void stats(Done<std::vector<ContainerStats>> done) = 0;
  // Only these pods are measured, which may take a while: all that they have written is walked through.
  virtual void disk_usage(std::vector<std::string> pod_uids, Done<DiskUsage> done) = 0;

  // A path of the machine's that a volume shows: it is what its type says, or is made so.
  struct HostPath {
    std::string path;
    std::string type;  // hostPath's, or kLocalVolume
    int mode_when_made = 0755;
  };
  static constexpr std::string_view kLocalVolume = "Local";  // whatever it is, it must be there
  // An error's message is what a user reads.
  virtual void check_host_path(HostPath wanted, Done<Unit> done) = 0;
  // Files that the kubelet projects into volumes (ConfigMap, Secret, downward API, tokens), written as
  // one atomic step (a `..data` link is swung, as Kubernetes does): path under the directory to content.
  struct VolumeFile {
    std::string content;
    int mode = 0644;
    bool operator==(const VolumeFile&) const = default;
  };
  virtual void write_volume(const std::string& directory, std::map<std::string, VolumeFile> files,
                            std::optional<int64_t> fs_group, Done<Unit> done) = 0;
  // Of a pod that has ended: its volumes go, its logs stay.
  virtual void remove_pod_volumes(const std::string& pod_uid, Done<Unit> done) = 0;
  virtual void remove_pod_directories(const std::string& pod_uid, Done<Unit> done) = 0;
  // Where pods of this node keep volumes and logs, as absolute paths; the runtime owns both roots.
  virtual std::string pod_volume_root(const std::string& pod_uid) const = 0;
  virtual std::string pod_log_directory(const std::string& namespace_, const std::string& name,
                                        const std::string& uid) const = 0;

  // One listener: the kubelet. Called on the control thread.
  virtual void on_event(std::function<void(const RuntimeEvent&)> listener) = 0;
};

}  // namespace minik::control
