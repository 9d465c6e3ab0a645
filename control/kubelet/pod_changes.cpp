// What a running pod is asked to be besides what it began as: ephemeral containers that look in, other images, and other
// cpu and memory for its containers.
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

// It comes back with what its spec says by then, at once: nothing has failed.
void PodWorker::replace_container(const std::string& name, const std::string& why) {
  busy_ = true;
  stop_one(name, seconds(pod_[keys::kSpec][keys::kTerminationGracePeriodSeconds].as_int(30)), why, [this, name] {
    busy_ = false;
    auto& stopped = state_.containers[name];
    stopped.replaced = true;
    try_again_now(stopped);
  });
}

bool PodWorker::replace_changed_containers() {
  for (const auto& list : {keys::kInitContainers, keys::kContainers}) {
    for (const auto& container : pod_[keys::kSpec][list].items()) {
      const std::string name = container[keys::kName].string();
      const auto& record = state_.containers[name];
      if (!record.running() || !has_other_image(container, record)) continue;
      if (list == keys::kInitContainers && !is_sidecar(container)) continue;
      replace_container(name, cat("Container ", name, " definition changed, will be restarted"));
      return true;
    }
  }
  return false;
}

// Of another image nothing is known yet: what the one before it has failed at does not hold it back.
void PodWorker::forgive_changed_images(const Value& before) {
  for (const auto& list : {keys::kInitContainers, keys::kContainers}) {
    const auto was = before[keys::kSpec][list].items(), is = pod_[keys::kSpec][list].items();
    for (size_t i = 0; i < std::min(was.size(), is.size()); ++i) {
      if (was[i][keys::kImage] == is[i][keys::kImage]) continue;
      auto& record = state_.containers[is[i][keys::kName].string()];
      if (!record.waiting_reason.empty()) try_again_now(record);
    }
  }
}

void PodWorker::try_again_now(ContainerRecord& record) {
  record.back_off = {};
  record.next_start = context_.executor.now();
  record.waiting_reason = "ContainerCreating";
  record.waiting_message.clear();
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
    replace_container(name, cat("Container ", name, " resize requires restart"));
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
