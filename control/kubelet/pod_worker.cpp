#include "control/kubelet/pod_worker.h"

#include <algorithm>
#include <utility>

#include "control/base/check.h"
#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"

namespace minik::control {

namespace {

constexpr Duration kBackOffReset = minutes(10);

// A status made of the one need not be right for the other.
bool is_respecified(const Value& before, const Value& after) {
  const Key generation = keys::kGeneration;
  return !(after[keys::kSpec] == before[keys::kSpec]) ||
         !(after[keys::kMetadata][generation] == before[keys::kMetadata][generation]);
}

bool is_relabelled(const Value& before, const Value& after) {
  const Value &old = before[keys::kMetadata], &now = after[keys::kMetadata];
  return !(old[keys::kLabels] == now[keys::kLabels]) || !(old[keys::kAnnotations] == now[keys::kAnnotations]);
}

bool has_ended(const Value& pod) {
  const auto phase = pod[keys::kStatus][keys::kPhase].as_string();
  return phase == "Succeeded" || phase == "Failed";
}

// Where a pod's spec has a container.
struct ContainerPlace {
  Key list;
  const Value* container;
};

std::optional<ContainerPlace> container_place(const Value& pod, std::string_view name) {
  for (const auto& list : {keys::kContainers, keys::kInitContainers, keys::kEphemeralContainers}) {
    for (const auto& container : pod[keys::kSpec][list].items()) {
      if (container[keys::kName].as_string() == name) return ContainerPlace{list, &container};
    }
  }
  return {};
}

// As an ObjectReference names a part of a pod: "spec.initContainers{migrate}".
std::string container_field_path(const Value& pod, std::string_view name) {
  const auto place = container_place(pod, name);
  return place ? cat("spec.", place->list.text(), "{", name, "}") : "";
}

}  // namespace

PodWorker::PodWorker(KubeletContext& context, Value pod)
    : context_(context),
      pod_(std::move(pod)),
      wake_(context.executor),
      deadline_(context.executor),
      renewal_(context.executor),
      alive_(std::make_shared<bool>(true)) {
  written_status_ = pod_[keys::kStatus];
  if (written_status_[keys::kStartTime].is_absent()) seen_ = context_.executor.now();
  // A node agent that starts again shows what the API already knows.
  state_.start_time = parse_time(pod_[keys::kStatus][keys::kStartTime].as_string());
  for (const auto& list :
       {keys::kContainerStatuses, keys::kInitContainerStatuses, keys::kEphemeralContainerStatuses}) {
    for (const auto& status : pod_[keys::kStatus][list].items()) {
      auto& record = state_.containers[status[keys::kName].string()];
      record.restart_count = status[keys::kRestartCount].as_int();
      record.ran_before = !status[keys::kContainerID].as_string().empty();
    }
  }
}

PodWorker::~PodWorker() {
  *alive_ = false;
  stop_probes();
}

void PodWorker::update(Value pod) {
  if (object_revision(pod) < object_revision(pod_)) return sync();  // the watch is behind what was asked for
  const bool shows_otherwise = volumes_written_ && !terminating_ && !gone_ && is_relabelled(pod_, pod) && shows_metadata(pod);
  const auto shown = shows_otherwise ? std::optional(contents_now()) : std::nullopt;
  const Value before = std::exchange(pod_, std::move(pod));
  if (shown) write_changed(*shown);
  if (is_respecified(before, pod_)) {
    said_.reset();
    forgive_changed_images(before);
  }
  // Somebody has written after this node: what is wrong now (a pod of a node that was silent is not ready)
  // is said anew, and what others have added stays.
  if (written_status_ == pod_[keys::kStatus]) {
    written_status_ = pod_[keys::kStatus];  // one document instead of two that are equal
  } else if (object_revision(pod_) > written_revision_) {
    written_status_ = pod_[keys::kStatus];
    said_.reset();
  }
  sync();
}

void PodWorker::forget_pod() {
  gone_ = true;
  sync();
}

void PodWorker::adopt(std::vector<PodSandboxStatus> sandboxes, std::vector<ContainerStatus> containers) {
  CHECK(!sandboxes.empty());
  std::ranges::sort(sandboxes, {}, &PodSandboxStatus::attempt);
  state_.sandbox = std::move(sandboxes.back());
  sandboxes.pop_back();
  sandbox_attempt_ = state_.sandbox->attempt + 1;
  for (auto& former : sandboxes) former_sandboxes_.push_back(std::move(former.id));
  for (auto& container : containers) adopt_container(std::move(container));
  if (state_.sandbox->ready) leave_former_sandboxes();
}

void PodWorker::adopt_container(ContainerStatus container) {
  auto& record = state_.containers[container.name];
  const bool newer = !record.current || record.current->attempt < container.attempt;
  if (!newer) {
    if (!record.last || record.last->attempt < container.attempt) {
      record.last = std::make_unique<ContainerStatus>(std::move(container));
    }
    return;
  }
  if (record.current) record.last = std::make_unique<ContainerStatus>(*std::move(record.current));
  record.restart_count = std::max(record.restart_count, static_cast<int64_t>(container.attempt));
  record.current = std::move(container);
  record.waiting_reason.clear();
  record.last_start = context_.executor.now();
  const Value* spec = find_container(record.current->name);
  if (!spec) return;
  if (!record.running()) return;
  record.started = !(*spec)[keys::kStartupProbe].has_value();
  record.ready = record.started && !(*spec)[keys::kReadinessProbe].has_value();
  record.resources = (*spec)[keys::kResources];
  // Ready as it was reported until a probe says otherwise: adoption must not make a pod flap.
  for (const auto& status : pod_[keys::kStatus][keys::kContainerStatuses].items()) {
    if (status[keys::kName].as_string() == record.current->name && status[keys::kState][keys::kRunning].has_value()) {
      record.ready = status[keys::kReady].as_bool();
      record.started = status[keys::kStarted].as_bool();
      if (status[keys::kResources].has_value()) record.resources = status[keys::kResources];
    }
  }
  start_probes(*spec, record.current->id);
}

const Value* PodWorker::find_container(std::string_view name) const {
  const auto place = container_place(pod_, name);
  return place ? place->container : nullptr;
}

std::vector<std::string> PodWorker::pod_ips() const {
  if (state_.sandbox && !state_.sandbox->ips.empty()) return state_.sandbox->ips;
  return pod_[keys::kSpec][keys::kHostNetwork].as_bool() ? context_.host_ips : std::vector<std::string>{};
}

PodSurroundings PodWorker::surroundings() const {
  PodSurroundings around;
  around.config_maps = config_maps_;
  around.secrets = secrets_;
  around.services = context_.services(object_namespace(pod_));
  around.cluster_domain = context_.cluster_domain;
  around.dns_address = context_.dns_address;
  around.node_name = context_.node_name;
  around.host_ips = context_.host_ips;
  around.node_allocatable = context_.node_allocatable;
  around.host_dns_servers = context_.host_dns_servers;
  around.host_dns_searches = context_.host_dns_searches;
  return around;
}

// Whoever waits for longer is looked at then, too, and asks again.
void PodWorker::later(Duration delay) {
  const Instant due = context_.executor.now() + delay;
  if (wake_.armed() && wake_due_ <= due) return;
  wake_due_ = due;
  wake_.arm(delay, [this] { sync(); });
}

void PodWorker::event(std::string type, std::string reason, std::string message, const Value& container) {
  context_.events.record({reference_to(container), std::move(type), std::move(reason), std::move(message)});
}

// An ObjectReference to the pod or to one of its containers. What happens when a container starts is noted one thing after
// the other, about one and the same thing.
const Value& PodWorker::reference_to(const Value& container) {
  const auto& metadata = pod_[keys::kMetadata];
  const std::string field_path = container.has_value() ? container_field_path(pod_, container[keys::kName].as_string()) : "";
  if (subject_.has_value() && subject_[keys::kResourceVersion] == metadata[keys::kResourceVersion] &&
      subject_[keys::kFieldPath].as_string() == field_path) {
    return subject_;
  }
  subject_ = Value::map({{keys::kApiVersion, "v1"},
                         {keys::kFieldPath, field_path.empty() ? Value() : Value(field_path)},
                         {keys::kKind, "Pod"},
                         {keys::kName, metadata[keys::kName]},
                         {keys::kNamespace, metadata[keys::kNamespace]},
                         {keys::kResourceVersion, metadata[keys::kResourceVersion]},
                         {keys::kUid, metadata[keys::kUid]}});
  return subject_;
}

void PodWorker::sync() {
  if (shutting_down_) return;
  if (busy_) {
    if (terminating_) hasten_stops();
    return;
  }
  // The API knows an end that this worker does not: of its life before a restart of the machine, or by somebody
  // else's word. A pod never comes back from its end, so what still runs of it stops and nothing is said any more.
  if (!state_.terminal && !terminating_ && has_ended(pod_)) {
    ended_before_ = true;
    terminate();
    return;
  }
  if (gone_ || is_deleting(pod_) || terminating_) {
    terminate();
    return;
  }
  if (state_.terminal) {
    write_status();
    return;
  }
  check_deadline();
  if (terminating_) return;
  if (is_over_with_its_sandbox()) {
    state_.terminal = true;
    terminate();
    return;
  }
  const bool starting = prepare() || run_ephemeral_containers() || run_init_containers() ||
                        !is_initialized(pod_[keys::kSpec], state_) || run_containers() || run_sidecars();
  if (!starting && !replace_changed_containers()) resize_containers();
  // Between its sandbox and its containers a pod says nothing: the end of the step that is on its way says it all in one
  // write. What takes long, the pull of an image, says where the pod stands before it begins; and a container that has
  // ended serves nobody from now on, however soon it comes back.
  const bool one_ended = std::ranges::any_of(state_.containers, [](const auto& entry) { return entry.second.exited(); });
  if (starting && busy_ && !one_ended && state_.sandbox && state_.sandbox->ready) return;
  write_status();
}

bool PodWorker::prepare() {
  if (!state_.start_time) state_.start_time = context_.executor.wall_now();
  return fetch_references() || fetch_claims() || run_sandbox() || fetch_tokens() || write_volumes();
}

void PodWorker::check_deadline() {
  const Value& limit = pod_[keys::kSpec][keys::kActiveDeadlineSeconds];
  if (!limit.is_int() || !state_.start_time) return;
  const Duration left = *state_.start_time + seconds(limit.as_int()) - context_.executor.wall_now();
  if (left > Duration{}) {
    deadline_.arm(left, [this] { sync(); });  // anew, as it may have been drawn nearer
    return;
  }
  state_.failed_reason = "DeadlineExceeded";
  state_.failed_message = "Pod was active on the node longer than the specified deadline";
  event("Normal", state_.failed_reason, state_.failed_message);
  terminating_ = true;
  terminate();
}

bool PodWorker::is_active() const {
  return !state_.terminal && !terminating_ && !gone_ && !is_deleting(pod_) && !has_ended(pod_);
}

void PodWorker::evict(std::string message, EvictionCause cause) {
  if (!is_active()) return;
  event("Warning", std::string(kEvictedReason), message);
  state_.failed_reason = kEvictedReason;
  state_.failed_message = std::move(message);
  state_.disrupted = cause == EvictionCause::kNodePressure;
  evicted_ = terminating_ = true;
  terminate();
}

void PodWorker::reject(std::string reason, std::string message) {
  event("Warning", reason, message);
  state_.start_time = context_.executor.wall_now();
  state_.failed_reason = std::move(reason);
  state_.failed_message = cat("Pod was rejected: ", message);
  state_.rejected = true;
  terminate();
}

PodShare PodWorker::share() const {
  // Of a pod that nobody has changed it stays what it was.
  const bool changed = pod_[keys::kMetadata][keys::kGeneration].as_int(1) > 1;
  if (changed || !share_) share_ = share_of(pod_);
  return *share_;
}

bool PodWorker::wants_restart(const Value& container, const ContainerRecord& record, ContainerRole role) const {
  return record.replaced || comes_back(pod_[keys::kSpec], container, record.current->exit_code, role);
}

// Starts the container now, or sees to it that sync() comes back when its back-off is over. True when a
// step was begun.
bool PodWorker::restart_or_wait(const Value& container, ContainerRole role) {
  auto& record = state_.containers[container[keys::kName].string()];
  const Instant now = context_.executor.now();
  if (record.exited()) {
    if (!wants_restart(container, record, role)) return false;
    if (record.waiting_reason.empty()) {
      if (now - record.last_start > kBackOffReset) record.back_off = {};
      // The first restart is at once, the next ones wait.
      record.next_start = record.restart_count == 0 ? now : now + record.back_off;
      if (record.back_off.ns == 0) record.back_off = kBackOffFirst;
      if (record.next_start > now) {
        record.waiting_reason = "CrashLoopBackOff";
        record.waiting_message = cat("back-off ", format_duration(record.back_off),
                                     " restarting failed container=", container[keys::kName].as_string(),
                                     " pod=", pod_text(pod_));
        event("Warning", "BackOff",
              cat("Back-off restarting failed container ", container[keys::kName].as_string(), " in pod ",
                  pod_text(pod_)),
              container);
      }
    }
  }
  if (record.next_start > now) {
    later(record.next_start - now);
    return false;
  }
  if (record.exited()) record.back_off = record.restart_count == 0 ? kBackOffFirst : longer_back_off(record.back_off);
  start_container(container);
  return true;
}

bool PodWorker::run_init_containers() {
  if (is_initialized(pod_[keys::kSpec], state_)) return false;
  for (const auto& container : pod_[keys::kSpec][keys::kInitContainers].items()) {
    auto& record = state_.containers[container[keys::kName].string()];
    if (is_sidecar(container)) {
      if (!record.running()) return restart_or_wait(container, ContainerRole::kInit);
      if (!record.started) return true;
      continue;
    }
    if (record.running()) return true;
    if (record.exited() && record.current->exit_code == 0) continue;
    if (record.exited() && !wants_restart(container, record, ContainerRole::kInit)) {
      terminating_ = true;  // an init container has failed for good
      terminate();
      return true;
    }
    restart_or_wait(container, ContainerRole::kInit);
    return true;
  }
  return false;
}

bool PodWorker::run_containers() {
  bool all_ended = true;
  for (const auto& container : pod_[keys::kSpec][keys::kContainers].items()) {
    auto& record = state_.containers[container[keys::kName].string()];
    if (record.running()) {
      all_ended = false;
      continue;
    }
    if (record.exited() && !wants_restart(container, record, ContainerRole::kMain)) continue;
    all_ended = false;
    if (restart_or_wait(container, ContainerRole::kMain)) return true;
  }
  if (all_ended && !terminating_) {
    state_.terminal = true;
    terminating_ = true;
    terminate();
    return true;
  }
  return false;
}

// Beside the main containers: nobody waits for one that comes back.
bool PodWorker::run_sidecars() {
  for (const auto& container : pod_[keys::kSpec][keys::kInitContainers].items()) {
    if (!is_sidecar(container) || state_.containers[container[keys::kName].string()].running()) continue;
    if (restart_or_wait(container, ContainerRole::kInit)) return true;
  }
  return false;
}

void PodWorker::on_container_event(const std::string& id) {
  wake_probes();
  refresh_container(id);
}

void PodWorker::refresh_container(const std::string& id) {
  context_.runtime.container_status(id, [this, alive = alive_, id](Result<ContainerStatus> status) {
    if (!*alive || !status || status->state != ContainerState::kExited) return;
    const auto mine = std::ranges::find_if(state_.containers, [&id](const auto& entry) {
      return entry.second.current && entry.second.current->id == id;
    });
    if (mine == state_.containers.end()) {
      // The shortest lives are over before it is known that they began.
      if (busy_) early_ends_.insert_or_assign(id, *std::move(status));
    } else if (!mine->second.exited()) {
      on_exited(mine->first, *std::move(status));
      sync();
    }
  });
}

void PodWorker::on_exited(const std::string& name, ContainerStatus status) {
  auto& record = state_.containers[name];
  status.name = name;
  if (status.image.empty()) status.image = record.current->image;
  record.current = std::move(status);
  record.started = record.ready = record.in_post_start = false;
  stop_probes(name);
}

// --- status ---

void PodWorker::write_status() {
  if (status_in_flight_ || gone_ || ended_before_) return;
  const uint64_t digest = digest_of(state_);
  if (said_ == digest) return;
  const Value status = make_pod_status(pod_.with(keys::kStatus, written_status_.has_value() ? written_status_ : pod_[keys::kStatus]),
                                       state_, context_.host_ips, context_.executor.wall_now());
  if (status == written_status_) {
    said_ = digest;
    return;
  }
  status_in_flight_ = true;
  ApiRequest request = request_for_pod(Verb::kUpdate);
  request.subresource = "status";
  // It replaces the version that it was made from, and no other: what somebody has written meanwhile would be lost.
  request.body = pod_.with(keys::kStatus, status);
  if (object_revision(pod_) < written_revision_) {
    request.body = request.body.with_at({keys::kMetadata, keys::kResourceVersion}, Value(cat(written_revision_.value)));
  }
  context_.client.send(std::move(request), [this, alive = alive_, sent = pod_, status, digest](const Result<ApiResponse>& result) {
    if (!*alive) return;
    status_in_flight_ = false;
    if (result) {
      written_revision_ = object_revision(result->object);
      // The answer may come after the news of what somebody has written on top: then that is what must be said anew.
      const bool written_over = object_revision(pod_) > written_revision_;
      const Value& known = pod_[keys::kStatus];
      written_status_ = written_over || known == status ? known : status;
      if (written_over || is_respecified(sent, pod_)) {
        said_.reset();
      } else {
        said_ = digest;
      }
      sync();
    } else if (result.error().code == ErrorCode::kNotFound) {
      gone_ = true;
      sync();
    } else if (result.error().code == ErrorCode::kConflict) {
      look_again();
    } else {
      later(kRetry);
    }
  });
}

// Somebody has written the pod first. The watch would tell it, too, but a status is not to wait for it.
void PodWorker::look_again() {
  status_in_flight_ = true;
  context_.client.send(request_for_pod(Verb::kGet), [this, alive = alive_](const Result<ApiResponse>& result) {
    if (!*alive) return;
    status_in_flight_ = false;
    if (!result && result.error().code != ErrorCode::kNotFound) return later(kRetry);
    if (!result || object_uid(result->object) != object_uid(pod_)) {
      gone_ = true;  // another pod may have its name by now
      return sync();
    }
    said_.reset();
    update(result->object);
  });
}

ApiRequest PodWorker::request_for_pod(Verb verb) const {
  ApiRequest request;
  request.verb = verb;
  request.kind = kinds::kPods;
  request.namespace_ = object_namespace(pod_);
  request.name = object_name(pod_);
  return request;
}

}  // namespace minik::control
