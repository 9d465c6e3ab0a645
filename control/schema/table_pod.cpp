#include "control/schema/table_pod.h"

#include <algorithm>

#include "control/base/text.h"
#include "control/object/object_ref.h"
#include "control/schema/table_rows.h"
#include "control/schema/views/core_pod.h"

namespace minik::control {

namespace {

bool is_sidecar(PodView pod, std::string_view name) {
  for (const auto container : pod.spec().initContainers()) {
    if (container.name() == name) return container.restartPolicy() == "Always";
  }
  return false;
}

void note_restarts(PodSummary& summary, ContainerStatusView container) {
  summary.restarts += container.restartCount();
  const auto finished = parse_time(container.lastState().terminated().finishedAt());
  if (finished) summary.last_restart = std::max(summary.last_restart, *finished);
}

// "Error", else "Signal:9" or "ExitCode:1" when nobody gave a reason.
std::string end_of(ContainerStateTerminatedView terminated) {
  if (!terminated.reason().empty()) return std::string(terminated.reason());
  return terminated.signal() != 0 ? cat("Signal:", terminated.signal())
                                  : cat("ExitCode:", terminated.exitCode());
}

// Looks for the init container that the pod waits for; true when there is one. Restarts of sidecars
// go on counting afterwards and are returned apart.
bool summarize_initialization(PodView pod, PodSummary& summary, PodSummary& sidecars) {
  const auto statuses = pod.status().initContainerStatuses();
  for (size_t i = 0; i < statuses.size(); ++i) {
    const auto container = statuses[i];
    const auto state = container.state();
    const bool sidecar = is_sidecar(pod, container.name());
    note_restarts(summary, container);
    if (sidecar) note_restarts(sidecars, container);
    if (state.has_terminated() && state.terminated().exitCode() == 0) continue;
    if (sidecar && container.started()) {
      if (container.ready()) ++summary.ready;
      continue;
    }
    const std::string_view waiting = state.waiting().reason();
    if (state.has_terminated()) {
      summary.status = cat("Init:", end_of(state.terminated()));
    } else if (!waiting.empty() && waiting != "PodInitializing") {
      summary.status = cat("Init:", waiting);
    } else {
      summary.status = cat("Init:", i, "/", pod.spec().initContainers().size());
    }
    return true;
  }
  return false;
}

void summarize_containers(PodView pod, PodSummary& summary) {
  bool running = false;
  const auto statuses = pod.status().containerStatuses();
  for (size_t i = statuses.size(); i-- > 0;) {
    const auto container = statuses[i];
    const auto state = container.state();
    note_restarts(summary, container);
    if (!state.waiting().reason().empty()) {
      summary.status = state.waiting().reason();
    } else if (state.has_terminated()) {
      summary.status = end_of(state.terminated());
    } else if (container.ready() && state.has_running()) {
      running = true;
      ++summary.ready;
    }
  }
  if (summary.status == "Completed" && running) {
    summary.status = condition_is_true(pod.status().raw(), "Ready") ? "Running" : "NotReady";
  }
}

}  // namespace

PodSummary summarize_pod(const Value& object) {
  const PodView pod(object);
  const auto status = pod.status();
  PodSummary summary;
  summary.status = status.reason().empty() ? status.phase() : status.reason();
  for (const auto condition : status.conditions()) {
    if (condition.type() == "PodScheduled" && condition.reason() == "SchedulingGated") {
      summary.status = "SchedulingGated";
    }
  }
  summary.containers = static_cast<int64_t>(pod.spec().containers().size());
  for (const auto container : pod.spec().initContainers()) {
    if (container.restartPolicy() == "Always") ++summary.containers;
  }
  PodSummary sidecars;
  const bool initializing = summarize_initialization(pod, summary, sidecars);
  if (!initializing || condition_is_true(status.raw(), "Initialized")) {
    summary.restarts = sidecars.restarts;
    summary.last_restart = sidecars.last_restart;
    summarize_containers(pod, summary);
  }
  const bool ended = status.phase() == "Succeeded" || status.phase() == "Failed";
  if (is_deleting(object) && status.reason() == "NodeLost") {
    summary.status = "Unknown";
  } else if (is_deleting(object) && !ended) {
    summary.status = "Terminating";
  }
  return summary;
}

}  // namespace minik::control
