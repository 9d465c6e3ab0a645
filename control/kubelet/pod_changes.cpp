// What a running pod is asked to be besides what it began as: ephemeral containers that look in, and other cpu and memory
// for its containers.
#include <algorithm>

#include "control/base/text.h"
#include "control/kubelet/pod_worker.h"
#include "control/object/keys.h"

namespace minik::control {

namespace {

constexpr Duration kResizeRetry = seconds(10);

bool needs_restart(const Value& container, const Value& before) {
  for (const auto& policy : container[keys::kResizePolicy].items()) {
    if (policy[keys::kRestartPolicy].as_string() != "RestartContainer") continue;
    const Key name(policy[keys::kResourceName].as_string());
    for (const auto& list : {keys::kRequests, keys::kLimits}) {
      if (!(container[keys::kResources][list][name] == before[list][name])) return true;
    }
  }
  return false;
}

}  // namespace

// Each is started once and never again, whatever becomes of it.
bool PodWorker::run_ephemeral_containers() {
  for (const auto& container : pod_[keys::kSpec][keys::kEphemeralContainers].items()) {
    auto& record = state_.containers[container[keys::kName].string()];
    if (record.current || record.ran_before) continue;
    const Instant now = context_.executor.now();
    if (record.next_start > now) {
      later(record.next_start - now);
      continue;
    }
    start_container(container);
    return true;
  }
  return false;
}

bool PodWorker::resize_containers() {
  const auto is_other = [this](const Value& container) {
    const auto& record = state_.containers[container[keys::kName].string()];
    return record.running() && !is_resized(container, record);
  };
  const Value* other = nullptr;
  for (const auto& container : pod_[keys::kSpec][keys::kInitContainers].items()) {
    if (!other && is_sidecar(container) && is_other(container)) other = &container;
  }
  for (const auto& container : pod_[keys::kSpec][keys::kContainers].items()) {
    if (!other && is_other(container)) other = &container;
  }
  if (!other) {
    state_.resize_refusal.reset();
    return false;
  }
  state_.resize_refusal = context_.resize_refusal ? context_.resize_refusal(pod_) : nullptr;
  if (state_.resize_refusal) {
    if (state_.resize_refusal->reason == "Deferred") later(kRetry);  // until another pod makes room
    return false;
  }
  return resize_container(*other, state_.containers[(*other)[keys::kName].string()]);
}

bool PodWorker::resize_container(const Value& container, ContainerRecord& record) {
  const std::string name = container[keys::kName].string();
  const Instant now = context_.executor.now();
  if (record.next_resize > now) {
    later(record.next_resize - now);
    return false;
  }
  if (needs_restart(container, record.resources)) {
    // It comes back with what its spec says by then, at once: nothing has failed.
    busy_ = true;
    stop_one(name, seconds(pod_[keys::kSpec][keys::kTerminationGracePeriodSeconds].as_int(30)),
             cat("Container ", name, " resize requires restart"), [this, name] {
               busy_ = false;
               auto& stopped = state_.containers[name];
               stopped.back_off = {};
               stopped.next_start = context_.executor.now();
               stopped.waiting_reason = "ContainerCreating";
             });
    return true;
  }
  context_.runtime.update_container(
      record.current->id, make_resources(pod_[keys::kSpec], container, context_.node_memory_bytes),
      step<Unit>([this, name, wanted = container[keys::kResources]](const Result<Unit>& done) {
        if (!done) {
          event("Warning", "ResizeError", cat("Container ", name, " could not be resized: ", done.error().message));
          state_.containers[name].next_resize = context_.executor.now() + kResizeRetry;
          return;
        }
        state_.containers[name].resources = wanted;
        event("Normal", "ResizeCompleted", cat("Pod resize completed: container ", name));
      }));
  return true;
}

}  // namespace minik::control
