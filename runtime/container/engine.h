// Engine: pod sandboxes and containers on this machine, in the shape of CRI; usable without Kubernetes.
//
//   <state>/sandboxes/<id>/config, ns/{ipc,uts,net}     bind-mounted namespaces, no pause process
//   <state>/sandboxes/<id>/pause, ns/pid                only where containers share their processes (pause.h)
//   <state>/containers/<id>/spec, meta, exit, shim.sock, upper/, work/, root/
//
// All state is in files and in shims, so that an engine opened again after any kill finds everything as
// it is: running containers are adopted through their sockets, what ended meanwhile has its exit record,
// what was half made is swept away. Blocking calls for worker threads, thread-safe. Exits are told from
// the engine's own poll thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "control/base/result.h"
#include "control/base/time.h"
#include "runtime/container/cgroup.h"
#include "runtime/container/program.h"
#include "runtime/container/spec.h"
#include "runtime/container/terminal.h"

namespace minik::runtime {

using Annotations = std::map<std::string, std::string>;

struct SandboxConfig {
  std::string id;
  std::string hostname;
  std::string network_namespace;  // path; empty: the machine's own
  bool host_ipc = false;
  bool share_processes = false;  // its containers see one another's; asked for once, then known by ns/pid
  CgroupLimits limits = {};  // of all its containers together
  std::map<std::string, std::string> sysctls;  // set once, when the namespaces are made
  Annotations annotations;  // the caller's, given back by list
};

struct SandboxInfo {
  SandboxConfig config;
  WallTime created;
  bool ready = false;
};

enum class ContainerPhase : uint8_t { kCreated, kRunning, kExited };

struct ContainerInfo {
  std::string id, sandbox_id;
  ContainerPhase phase = ContainerPhase::kCreated;
  WallTime created, started, finished;
  int exit_code = 0, signal = 0;
  bool out_of_memory = false;
  int pid = 0;
  Annotations annotations;
};

// How long a container's shim, or what stands behind it, may keep a caller. The shim is quick; a container that holds it up,
// or a machine that is out of memory, must not hold up whoever wants to end it.
struct EngineLimits {
  Duration answer = seconds(10);  // to a request
  Duration start = minutes(2);    // of a container: it mounts, on a disk that may be busy
};

// A running exec: close the connection to end it.
struct ExecSession {
  int connection = -1;
};

class Engine {
 public:
  using ExitListener = std::function<void(const std::string& sandbox_id, const std::string& container_id)>;

  // `cgroup_prefix` is this engine's place in the hierarchies: "minik/<profile>".
  static Result<std::unique_ptr<Engine>> open(std::string state_directory, std::string cgroup_prefix,
                                              ExitListener on_exit, EngineLimits limits = {});
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // Whatever an engine, open elsewhere or not at all, has noted of containers that are still there. Their phase is known of
  // those whose end is on record.
  static std::vector<ContainerInfo> recorded_containers(const std::string& state_directory);

  Status create_sandbox(const SandboxConfig& config);
  // Kills what runs in it; the namespaces go, the record stays until remove_sandbox. Needs no space on the disk.
  Status stop_sandbox(const std::string& id);
  Status remove_sandbox(const std::string& id);
  std::vector<SandboxInfo> sandboxes() const;

  // The spec's id, namespace directory and cgroup are filled in here.
  Status create_container(const std::string& sandbox_id, ContainerSpec spec, const Annotations& annotations);
  Result<ContainerInfo> start_container(const std::string& id);
  // SIGKILL reaches all of it even when its shim does not answer; that ends with it, then.
  Status signal_container(const std::string& id, int signal);
  Status remove_container(const std::string& id);
  // While it runs; answers what the machine cannot limit.
  Result<std::vector<std::string>> set_limits(const std::string& id, const CgroupLimits& limits);
  Result<ContainerInfo> container(const std::string& id) const;
  std::vector<ContainerInfo> containers() const;
  Result<CgroupStats> stats(const std::string& id) const;

  // A terminal of the running container, for exec().
  Result<Terminal> open_terminal(const std::string& id) const;
  // The descriptors become the process' stdio; the caller keeps its own copies. With a terminal they are
  // three times its slave. The answer comes when the program runs.
  Result<ExecSession> exec(const std::string& id, const std::vector<std::string>& args, bool terminal, int in,
                           int out, int err);
  // Blocks until the exec has ended; its exit code.
  static Result<int> wait_exec(const ExecSession& session);
  Status attach(const std::string& id, int in, int out, int err);
  Status resize(const std::string& id, int rows, int columns);

  const std::string& state_directory() const { return state_; }
  // Where all goes that a container writes outside of its mounts.
  std::string layer_directory(const std::string& id) const { return container_directory(id) + "/upper"; }

 private:
  Engine(std::string state, std::string cgroup_prefix, ExitListener on_exit, EngineLimits limits);
  Status recover();
  Status recover_container(const std::string& id);
  void watch(const std::string& id, int connection);
  void poll_exits();
  // From its record, or else from what its shim has told; without either it was killed.
  void read_exit(ContainerInfo& info, std::string_view told = {}) const;
  std::string container_directory(const std::string& id) const { return state_ + "/containers/" + id; }
  std::string sandbox_directory(const std::string& id) const { return state_ + "/sandboxes/" + id; }
  std::string cgroup_of(const ContainerInfo& info) const;
  Result<int> connect_shim(const std::string& id) const;

  const std::string state_, cgroup_prefix_;
  const ExitListener on_exit_;
  const EngineLimits limits_;
  OwnProgram program_;  // of shims and pause processes
  mutable std::mutex mutex_;  // guards the two maps and the watched connections
  std::map<std::string, SandboxInfo> sandboxes_;
  std::map<std::string, ContainerInfo> containers_;
  std::map<int, std::string> watched_;
  int epoll_ = -1, wake_ = -1;
  std::thread poller_;
};

}  // namespace minik::runtime
