#include "control/kubelet/pod_state.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/object/quantity.h"
#include "control/object/text_hash.h"

namespace minik::control {

namespace {

constexpr std::string_view kIdScheme = "minik://";

Value text_or_absent(const std::string& text) { return text.empty() ? Value() : Value(text); }

Value time_or_null(WallTime time) { return time.ns == 0 ? Value(nullptr) : Value(format_time(time)); }

Value terminated_state(const ContainerStatus& status) {
  return Value::map({{keys::kTerminated,
                      Value::map({{keys::kExitCode, status.exit_code},
                                  {keys::kSignal, status.signal == 0 ? Value() : Value(status.signal)},
                                  {keys::kReason, text_or_absent(status.reason)},
                                  {keys::kMessage, text_or_absent(status.message)},
                                  {keys::kStartedAt, time_or_null(status.started)},
                                  {keys::kFinishedAt, time_or_null(status.finished)},
                                  {keys::kContainerID, cat(kIdScheme, status.id)}})}});
}

Value state_of(const ContainerRecord& record, std::string_view waiting_reason) {
  if (record.up()) {
    return Value::map(
        {{keys::kRunning, Value::map({{keys::kStartedAt, format_time(record.current->started)}})}});
  }
  if (record.exited() && record.waiting_reason.empty()) return terminated_state(*record.current);
  const bool nothing_yet = !record.exited() && record.waiting_reason.empty();
  return Value::map(
      {{keys::kWaiting,
        Value::map({{keys::kReason, nothing_yet ? Value(waiting_reason) : text_or_absent(record.waiting_reason)},
                    {keys::kMessage, text_or_absent(record.waiting_message)}})}});
}

// As they were asked for: none is made read-only also where others are mounted in it.
Value mounts_of(const Value& container) {
  if (container[keys::kVolumeMounts].empty()) return {};
  std::vector<Value> mounts;
  for (const auto& mount : container[keys::kVolumeMounts].items()) {
    const Value& read_only = mount[keys::kReadOnly];
    mounts.push_back(Value::map({{keys::kName, mount[keys::kName]},
                                 {keys::kMountPath, mount[keys::kMountPath]},
                                 {keys::kReadOnly, read_only.as_bool() ? read_only : Value()},
                                 {keys::kRecursiveReadOnly, read_only.as_bool() ? Value("Disabled") : Value()}}));
  }
  return Value::array(std::move(mounts));
}

Value container_status(const Value& container, const ContainerRecord& record, std::string_view waiting_reason) {
  // While a container waits to come back, what it was is its last state.
  const ContainerStatus* last = record.last ? &*record.last : nullptr;
  if (record.exited() && !record.waiting_reason.empty()) last = &*record.current;
  const ContainerStatus* shown = record.current && !record.in_post_start ? &*record.current : last;
  return Value::map({{keys::kName, container[keys::kName]},
                     {keys::kState, state_of(record, waiting_reason)},
                     {keys::kLastState, last ? terminated_state(*last) : Value::empty_map()},
                     {keys::kReady, record.ready},
                     {keys::kRestartCount, record.restart_count},
                     {keys::kImage, shown && !shown->image.empty() ? Value(shown->image) : container[keys::kImage]},
                     {keys::kImageID, shown ? shown->image_id : std::string()},
                     {keys::kContainerID, shown ? Value(cat(kIdScheme, shown->id)) : Value()},
                     {keys::kStarted, record.started && record.up()},
                     {keys::kAllocatedResources, record.up() ? record.resources[keys::kRequests] : Value()},
                     {keys::kResources, record.up() && !record.resources.empty() ? record.resources : Value()},
                     {keys::kVolumeMounts, mounts_of(container)}});
}

// Who looks in is neither ready nor counted, and never comes back.
Value visitor_statuses(const Value& containers, const PodState& state) {
  static const ContainerRecord unborn;
  std::vector<Value> statuses;
  for (const auto& container : containers.items()) {
    const auto found = state.containers.find(container[keys::kName].string());
    const ContainerRecord& record = found == state.containers.end() ? unborn : found->second;
    statuses.push_back(container_status(container, record, "ContainerCreating")
                           .with(keys::kReady, false)
                           .without(keys::kStarted));
  }
  return Value::array(std::move(statuses));
}

Value statuses_of(const Value& containers, const PodState& state, std::string_view waiting_reason) {
  static const ContainerRecord unborn;
  std::vector<Value> statuses;
  for (const auto& container : containers.items()) {
    const auto found = state.containers.find(container[keys::kName].string());
    statuses.push_back(
        container_status(container, found == state.containers.end() ? unborn : found->second, waiting_reason));
  }
  return Value::array(std::move(statuses));
}

// Of those that run together: the sidecars and the main containers.
std::vector<std::string> unready(const Value& spec, const PodState& state) {
  std::vector<std::string> names;
  const auto look_at = [&](const Value& container) {
    const auto found = state.containers.find(container[keys::kName].string());
    if (found == state.containers.end() || !found->second.ready) names.push_back(container[keys::kName].string());
  };
  for (const auto& container : spec[keys::kInitContainers].items()) {
    if (is_sidecar(container)) look_at(container);
  }
  for (const auto& container : spec[keys::kContainers].items()) look_at(container);
  return names;
}

// The words of conditions, made once.
const Value kTrue("True"), kFalse("False");
const Value kReadyToStart("PodReadyToStartContainers"), kInitialized("Initialized"), kReady("Ready"),
    kContainersReady("ContainersReady"), kScheduled("PodScheduled"), kResizePending("PodResizePending"),
    kResizeInProgress("PodResizeInProgress"), kDisruptionTarget("DisruptionTarget");

// As it was where it says the same: a status is made often and changes seldom.
Value make_condition(const Value& pod, const Value& wanted_type, bool is_true, std::string_view reason,
                     std::string_view message, WallTime now) {
  const Value& status = is_true ? kTrue : kFalse;
  const Value& generation = pod[keys::kMetadata][keys::kGeneration];
  Value since;
  for (const auto& old : pod[keys::kStatus][keys::kConditions].items()) {
    if (!(old[keys::kType] == wanted_type) || !(old[keys::kStatus] == status)) continue;
    if (old[keys::kReason].as_string() == reason && old[keys::kMessage].as_string() == message &&
        old[keys::kObservedGeneration] == generation && !old[keys::kLastProbeTime].is_absent()) {
      return old;
    }
    since = old[keys::kLastTransitionTime];
  }
  return Value::map({{keys::kType, wanted_type},
                     {keys::kStatus, status},
                     {keys::kObservedGeneration, generation},
                     {keys::kReason, reason.empty() ? Value() : Value(reason)},
                     {keys::kMessage, message.empty() ? Value() : Value(message)},
                     {keys::kLastProbeTime, nullptr},
                     {keys::kLastTransitionTime, since.has_value() ? since : Value(format_time(now))}});
}

bool is_resizing(const Value& pod, const PodState& state) {
  if (state.resize_refusal) return false;
  const auto waits = [&state](const Value& container) {
    const auto found = state.containers.find(container[keys::kName].string());
    return found != state.containers.end() && found->second.running() && !is_resized(container, found->second);
  };
  return std::ranges::any_of(pod[keys::kSpec][keys::kContainers].items(), waits) ||
         std::ranges::any_of(pod[keys::kSpec][keys::kInitContainers].items(), waits);
}

Value make_conditions(const Value& pod, const PodState& state, const std::string& phase, WallTime now) {
  const Value& spec = pod[keys::kSpec];
  const bool initialized = is_initialized(spec, state) || phase == "Succeeded";
  const auto not_ready = unready(spec, state);
  const bool succeeded = phase == "Succeeded";
  const bool ended = succeeded || phase == "Failed";
  const bool containers_ready = !ended && initialized && not_ready.empty();
  const std::string_view reason = containers_ready ? ""
                                  : succeeded      ? "PodCompleted"
                                  : phase == "Failed" ? "PodFailed"
                                                      : "ContainersNotReady";
  const std::string message =
      containers_ready || ended ? "" : cat("containers with unready status: [", join(not_ready, " "), "]");
  std::vector<std::string> closed_gates;
  for (const auto& gate : spec[keys::kReadinessGates].items()) {
    const auto said = pod[keys::kStatus][keys::kConditions].items();
    const auto condition = std::ranges::find_if(said, [&](const Value& c) { return c[keys::kType] == gate[keys::kConditionType]; });
    const std::string name = quoted(gate[keys::kConditionType].as_string());
    if (condition == said.end()) {
      closed_gates.push_back(cat("corresponding condition of pod readiness gate ", name, " does not exist."));
    } else if (const auto status = (*condition)[keys::kStatus].as_string(); status != "True") {
      closed_gates.push_back(cat("the status of pod readiness gate ", name, " is not \"True\", but ", status));
    }
  }
  std::vector<Value> conditions;
  const auto add = [&](const Value& type, bool is_true, std::string_view why, const std::string& text) {
    conditions.push_back(make_condition(pod, type, is_true, why, text, now));
  };
  add(kReadyToStart, state.sandbox && state.sandbox->ready && !ended, "", "");
  std::vector<std::string> unstarted;
  for (const auto& container : spec[keys::kInitContainers].items()) {
    const auto found = state.containers.find(container[keys::kName].string());
    const bool done = found != state.containers.end() &&
                      (is_sidecar(container) ? found->second.started
                                             : found->second.exited() && found->second.current->exit_code == 0);
    if (!done) unstarted.push_back(container[keys::kName].string());
  }
  add(kInitialized, initialized, initialized ? (succeeded ? "PodCompleted" : "") : "ContainersNotInitialized",
      initialized ? "" : cat("containers with incomplete status: [", join(unstarted, " "), "]"));
  const bool ready = containers_ready && closed_gates.empty();
  add(kReady, ready, ready ? "" : containers_ready ? "ReadinessGatesNotReady" : reason,
      containers_ready ? join(closed_gates, ", ") : message);
  add(kContainersReady, containers_ready, reason, message);
  add(kScheduled, true, "", "");
  if (const auto& refusal = state.resize_refusal) add(kResizePending, true, refusal->reason, refusal->message);
  if (is_resizing(pod, state)) add(kResizeInProgress, true, "", "");
  const bool evicted = state.disrupted;
  if (evicted) add(kDisruptionTarget, true, "TerminationByKubelet", state.failed_message);
  const auto is_own = [evicted](const Value& type) {
    if (type == kDisruptionTarget) return evicted;
    return std::ranges::any_of(std::initializer_list<const Value*>{&kReadyToStart, &kInitialized, &kReady, &kContainersReady, &kScheduled,
                                                                   &kResizePending, &kResizeInProgress},
                               [&](const Value* own) { return *own == type; });
  };
  for (const auto& other : pod[keys::kStatus][keys::kConditions].items()) {
    if (!is_own(other[keys::kType])) conditions.push_back(other);
  }
  return Value::array(std::move(conditions));
}

}  // namespace

std::string pod_text(const Value& pod) { return cat(object_name(pod), "_", object_namespace(pod), "(", object_uid(pod), ")"); }

std::string_view why_not_started(std::string_view reason) {
  return reason.empty()                 ? "ContainerCreating"
         : reason == "ErrImagePull"     ? "image can't be pulled"
         : reason == "ImagePullBackOff" ? "trying and failing to pull image"
                                        : reason;
}

bool comes_back(const Value& spec, const Value& container, int exit_code, ContainerRole role) {
  const bool init = role == ContainerRole::kInit;
  if (init && is_sidecar(container)) return true;
  if (init && exit_code == 0) return false;
  for (const auto& rule : container[keys::kRestartPolicyRules].items()) {
    const Value& codes = rule[keys::kExitCodes];
    const bool listed = std::ranges::any_of(codes[keys::kValues].items(), [&](const Value& code) { return code.as_int() == exit_code; });
    if (listed == (codes[keys::kOperator].as_string() == "In")) return rule[keys::kAction].as_string() == "Restart";
  }
  const Value& own = container[keys::kRestartPolicy];
  const auto policy = own.has_value() ? own.as_string() : spec[keys::kRestartPolicy].as_string("Always");
  return policy == "Always" || (policy == "OnFailure" && exit_code != 0);
}

bool has_other_image(const Value& container, const ContainerRecord& record) {
  return record.current && record.current->image != container[keys::kImage].as_string();
}

bool is_resized(const Value& container, const ContainerRecord& record) {
  const Value& wanted = container[keys::kResources];
  return wanted == record.resources || (wanted.empty() && record.resources.empty());
}

bool is_initialized(const Value& spec, const PodState& state) {
  if (spec[keys::kInitContainers].empty()) return true;
  const bool begun = std::ranges::any_of(spec[keys::kContainers].items(), [&](const Value& container) {
    const auto found = state.containers.find(container[keys::kName].string());
    return found != state.containers.end() && found->second.current &&
           (!state.sandbox || found->second.current->sandbox_id == state.sandbox->id);
  });
  if (begun) return true;
  return std::ranges::all_of(spec[keys::kInitContainers].items(), [&](const Value& container) {
    const auto found = state.containers.find(container[keys::kName].string());
    if (found == state.containers.end()) return false;
    if (is_sidecar(container)) return found->second.started;
    return found->second.exited() && found->second.current->exit_code == 0;
  });
}

std::string phase_of(const Value& spec, const PodState& state) {
  if (!state.failed_reason.empty()) return "Failed";
  bool running = false, waiting = false, failed = false, back = false;
  size_t succeeded = 0;
  for (const auto& container : spec[keys::kContainers].items()) {
    const auto found = state.containers.find(container[keys::kName].string());
    const bool unborn = found == state.containers.end() || !found->second.current;
    if (unborn && found != state.containers.end() && found->second.last) {
      back = true;  // it ran in a sandbox that is lost, and is about to run in another, unless the pod ends before
      failed = failed || state.terminal;
    } else if (unborn || (found->second.in_post_start && found->second.restart_count == 0)) {
      waiting = true;
    } else if (found->second.running() || found->second.current->state == ContainerState::kCreated) {
      running = true;
    } else {
      const int code = found->second.current->exit_code;
      back = back || found->second.replaced || comes_back(spec, container, code, ContainerRole::kMain);
      if (code == 0) ++succeeded;
      failed = failed || code != 0;
    }
  }
  for (const auto& container : spec[keys::kInitContainers].items()) {
    const auto found = state.containers.find(container[keys::kName].string());
    if (found == state.containers.end() || is_sidecar(container) || !found->second.exited()) continue;
    const int code = found->second.current->exit_code;
    if (code != 0 && !found->second.replaced && !comes_back(spec, container, code, ContainerRole::kInit)) return "Failed";
  }
  const bool begun = running || failed || succeeded > 0;
  if (waiting || (!is_initialized(spec, state) && !begun)) {
    // Nothing of it will run any more. Whoever holds it by a finalizer learns of its end from the phase.
    if (state.terminal) return "Failed";
    return begun ? "Running" : "Pending";
  }
  if (running || (back && !state.terminal)) return "Running";
  return failed ? "Failed" : "Succeeded";
}

uint64_t digest_of(const PodState& state) {
  uint64_t digest = text_hash({});
  const auto add_number = [&](int64_t number) {
    digest = (digest ^ static_cast<uint64_t>(number)) * 0x9e3779b97f4a7c15ULL;
    digest ^= digest >> 32;
  };
  const auto add_text = [&](std::string_view text) { add_number(static_cast<int64_t>(text_hash(text))); };
  const auto add_status = [&](const ContainerStatus& status) {
    for (const auto& text : {std::string_view(status.id), std::string_view(status.reason), std::string_view(status.message),
                             std::string_view(status.image), std::string_view(status.image_id)}) {
      add_text(text);
    }
    for (const int64_t number : {static_cast<int64_t>(status.state), status.started.ns, status.finished.ns,
                                 int64_t{status.exit_code}, int64_t{status.signal}}) {
      add_number(number);
    }
  };
  if (state.sandbox) {
    add_number(state.sandbox->ready ? 1 : 2);
    for (const auto& ip : state.sandbox->ips) add_text(ip);
  }
  for (const auto& [name, record] : state.containers) {
    add_text(name);
    add_number(record.current.has_value());
    if (record.current) add_status(*record.current);
    add_number(record.last != nullptr);
    if (record.last) add_status(*record.last);
    add_number(record.restart_count);
    add_text(record.waiting_reason);
    add_text(record.waiting_message);
    add_number(record.replaced * 8 + record.in_post_start * 4 + record.started * 2 + record.ready);
    add_number(static_cast<int64_t>(record.resources.hash()));
  }
  add_number(state.start_time ? state.start_time->ns : -1);
  add_text(state.failed_reason);
  add_text(state.failed_message);
  if (state.resize_refusal) {
    add_text(state.resize_refusal->reason);
    add_text(state.resize_refusal->message);
  }
  add_number(state.terminal);
  return digest;
}

Value make_pod_status(const Value& pod, const PodState& state, const std::vector<std::string>& host_ips,
                      WallTime now) {
  const Value& spec = pod[keys::kSpec];
  const Value& old = pod[keys::kStatus];
  const std::string phase = phase_of(spec, state);
  MapBuilder status(old);
  const auto ip_list = [](const std::vector<std::string>& ips) {
    std::vector<Value> items;
    for (const auto& ip : ips) items.push_back(Value::map({{keys::kIp, ip}}));
    return items.empty() ? Value() : Value::array(std::move(items));
  };
  status.set(keys::kPhase, phase);
  status.set(keys::kReason, text_or_absent(state.failed_reason));
  status.set(keys::kMessage, text_or_absent(state.failed_message));
  status.set(keys::kObservedGeneration, pod[keys::kMetadata][keys::kGeneration]);
  const auto set_what_stays = [&] {
    if (state.start_time && old[keys::kStartTime].is_absent()) status.set(keys::kStartTime, format_time(*state.start_time));
    if (old[keys::kQosClass].is_absent()) status.set(keys::kQosClass, qos_class(spec));
  };
  if (state.rejected) {
    set_what_stays();
    Value result = std::move(status).build();
    return result == old ? old : result;
  }
  status.set(keys::kConditions, make_conditions(pod, state, phase, now));
  if (host_ips.empty() || old[keys::kHostIP].as_string() != host_ips[0]) {
    status.set(keys::kHostIP, host_ips.empty() ? Value() : Value(host_ips[0]));
    status.set(keys::kHostIPs, ip_list(host_ips));
  }
  std::vector<std::string> ips = state.sandbox ? state.sandbox->ips : std::vector<std::string>{};
  if (ips.empty() && spec[keys::kHostNetwork].as_bool()) ips = host_ips;
  if (!ips.empty() && old[keys::kPodIP].as_string() != ips[0]) {
    status.set(keys::kPodIP, ips[0]);
    status.set(keys::kPodIPs, ip_list(ips));
  }
  set_what_stays();
  const bool has_init = !spec[keys::kInitContainers].empty();
  if (has_init) {
    status.set(keys::kInitContainerStatuses, statuses_of(spec[keys::kInitContainers], state, "PodInitializing"));
  }
  const bool preparing = has_init && !is_initialized(spec, state);
  status.set(keys::kContainerStatuses,
             statuses_of(spec[keys::kContainers], state, preparing ? "PodInitializing" : "ContainerCreating"));
  if (!spec[keys::kEphemeralContainers].empty()) {
    status.set(keys::kEphemeralContainerStatuses, visitor_statuses(spec[keys::kEphemeralContainers], state));
  }
  Value result = std::move(status).build();
  return result == old ? old : result;
}

}  // namespace minik::control
