// PodState: what the node agent knows about one pod, and the pod status that follows from it.
//
// Plain data that a PodWorker keeps, and pure functions from it to the documents that the API sees:
// container states, conditions and phase exactly as a kubelet reports them.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "control/base/time.h"
#include "control/kubelet/container_runtime.h"
#include "control/object/pod_containers.h"
#include "control/object/qos_class.h"
#include "control/object/value.h"

namespace minik::control {

// Between the starts of a container that does not stay up: 10 s, doubling to 5 min.
constexpr Duration kBackOffFirst = seconds(10);
constexpr Duration kBackOffLast = minutes(5);
constexpr Duration longer_back_off(Duration last, Duration first = kBackOffFirst) {
  if (last.ns == 0) return first;
  return last * 2 < kBackOffLast ? last * 2 : kBackOffLast;
}

struct ContainerRecord {
  // The newest container of this name, once created.
  std::optional<ContainerStatus> current;
  // The one before it, for lastState and `logs --previous`; most have none.
  std::unique_ptr<ContainerStatus> last;
  int64_t restart_count = 0;
  // The API knows of one, from before this node agent or this machine came up.
  bool ran_before = false;
  // Why nothing runs; shown while current is absent or has exited and will come back.
  std::string waiting_reason, waiting_message;
  bool started = false;  // the startup probe has passed, or there is none
  bool ready = false;
  bool in_post_start = false;  // its hook has not ended
  bool replaced = false;  // it was ended for a new one to take its place, whatever its restart policy
  Value resources;  // what the running container has, which a resize changes without a restart
  // Back-off: the next start is not before this.
  Duration back_off;
  Instant next_start;
  Instant last_start;
  Instant next_resize;  // a resize that failed is not tried again before this

  // What the API sees as running.
  bool up() const { return running() && !in_post_start; }
  bool running() const { return current && current->state == ContainerState::kRunning; }
  bool exited() const { return current && current->state == ContainerState::kExited; }
};

// "Deferred" until other pods make room, or "Infeasible".
struct ResizeRefusal {
  std::string reason, message;
};

enum class ContainerRole : uint8_t { kInit, kMain };

struct PodState {
  std::optional<PodSandboxStatus> sandbox;
  std::map<std::string, ContainerRecord> containers;  // init and application containers by name
  std::optional<WallTime> start_time;
  // Decided by the node agent itself: evicted, deadline exceeded, rejected.
  std::string failed_reason, failed_message;
  bool disrupted = false;  // it failed for the node's sake
  bool rejected = false;   // nothing of it has ever begun
  bool terminal = false;  // every container has ended for good
  // Why the spec's other cpu and memory are not in force: the node has no room, or it has never had.
  std::unique_ptr<ResizeRefusal> resize_refusal;
};

// "name_namespace(uid)", as a node agent's messages call a pod.
std::string pod_text(const Value& pod);
// What whoever asks for the log of a container that waits for this reason is told.
std::string_view why_not_started(std::string_view waiting_reason);
// It was not made from the image that its spec names now.
bool has_other_image(const Value& container, const ContainerRecord& record);
// Its resources are what the container runs with.
bool is_resized(const Value& container, const ContainerRecord& record);
// Whether a container that ended with this code comes back: by the first of its rules that is about the code, else by its
// own restart policy, else by the pod's. An init container that ended well has done its part.
bool comes_back(const Value& pod_spec, const Value& container, int exit_code, ContainerRole role);
// Init containers have all done their part: ended well, or started when they are sidecars. What has become of a sidecar
// since a main container was first made changes nothing about it; in a new sandbox all do it again.
bool is_initialized(const Value& pod_spec, const PodState& state);
// "Pending", "Running", "Succeeded" or "Failed".
std::string phase_of(const Value& pod_spec, const PodState& state);
// The whole status document; conditions that others own are kept.
Value make_pod_status(const Value& pod, const PodState& state, const std::vector<std::string>& host_ips,
                      WallTime now);
// Of all that make_pod_status() reads of the state: the same digest, the same status.
uint64_t digest_of(const PodState& state);

}  // namespace minik::control
