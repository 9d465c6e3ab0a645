#include "sim/census.h"

#include "control/base/text.h"
#include "control/controllers/pods.h"
#include "control/object/keys.h"
#include "control/schema/kinds.h"

namespace minik::sim {

namespace keys = control::keys;
namespace kinds = control::kinds;
using control::LogRecord;
using control::Value;

std::string_view phase_name(PodPhase phase) {
  constexpr std::string_view kNames[kPodPhases] = {"Ready",       "Running, not ready", "Starting", "Unscheduled",
                                                   "Terminating", "Failed",             "Succeeded"};
  return kNames[static_cast<size_t>(phase)];
}

namespace {

PodPhase phase_of(const Value& pod) {
  const Value& phase = pod[keys::kStatus][keys::kPhase];
  const auto word = phase.as_string();
  if (word == "Succeeded") return PodPhase::kSucceeded;
  if (word == "Failed") return PodPhase::kFailed;
  if (control::is_deleting(pod)) return PodPhase::kTerminating;
  if (control::is_pod_ready(pod)) return PodPhase::kReady;
  if (word == "Running") return PodPhase::kNotReady;
  return pod[keys::kSpec][keys::kNodeName].has_value() ? PodPhase::kStarting : PodPhase::kUnscheduled;
}

int32_t restarts_of(const Value& pod) {
  int64_t restarts = 0;
  for (const auto& status : pod[keys::kStatus][keys::kContainerStatuses].items()) restarts += status[keys::kRestartCount].as_int();
  return static_cast<int32_t>(restarts);
}

}  // namespace

void Census::on_write(const LogRecord& record) {
  if (record.kind == kinds::kPods) {
    count_pod(record);
  } else if (record.kind == kinds::kNodes) {
    count_node(record);
  } else if (record.kind == kinds::kDeployments) {
    count_rollout(record, "Deployment");
  } else if (record.kind == kinds::kStatefulsets) {
    count_rollout(record, "StatefulSet");
  } else if (record.kind == kinds::kDaemonsets) {
    count_rollout(record, "DaemonSet");
  }
}

void Census::count_pod(const LogRecord& record) {
  const uint64_t uid = fnv1a_64(control::object_uid(record.object));
  const auto [found, is_new] = pod_entries_.try_emplace(uid);
  PodEntry& entry = found->second;
  if (!is_new) --pods_[static_cast<size_t>(entry.phase)];
  if (record.what == LogRecord::Kind::kDelete) {
    pod_entries_.erase(found);
    return;
  }
  entry.phase = phase_of(record.object);
  ++pods_[static_cast<size_t>(entry.phase)];
  const int32_t restarts = restarts_of(record.object);
  restarts_ += std::max(0, restarts - entry.restarts);
  entry.restarts = restarts;
}

void Census::count_node(const LogRecord& record) {
  NodeCount now;
  if (record.what == LogRecord::Kind::kPut) {
    (control::is_condition_true(record.object, "Ready") ? now.ready : now.not_ready) = 1;
    now.cordoned = record.object[keys::kSpec][keys::kUnschedulable].as_bool() ? 1 : 0;
  }
  NodeCount& before = node_entries_[std::string(control::object_name(record.object))];
  nodes_.ready += now.ready - before.ready;
  nodes_.not_ready += now.not_ready - before.not_ready;
  nodes_.cordoned += now.cordoned - before.cordoned;
  before = now;
}

void Census::count_rollout(const LogRecord& record, std::string_view kind) {
  Rollout& rollout = rollouts_[cat(kind, " ", control::key_of(record.object).text())];
  rollout = {};
  if (record.what == LogRecord::Kind::kDelete) return;
  const Value& status = record.object[keys::kStatus];
  if (kind == "DaemonSet") {
    rollout.wanted = status[keys::kDesiredNumberScheduled].as_int();
    rollout.updated = status[keys::kUpdatedNumberScheduled].as_int();
    rollout.ready = status[keys::kNumberReady].as_int();
    rollout.old = std::max<int64_t>(0, status[keys::kCurrentNumberScheduled].as_int() - rollout.updated);
    return;
  }
  rollout.wanted = record.object[keys::kSpec][keys::kReplicas].as_int(1);
  rollout.updated = status[keys::kUpdatedReplicas].as_int();
  rollout.ready = status[keys::kReadyReplicas].as_int();
  if (kind == "StatefulSet") {
    // Its pods are all that are there, those on their way out among them; by revision it counts those that stay.
    const bool rolls = status[keys::kCurrentRevision] != status[keys::kUpdateRevision];
    rollout.old = rolls ? status[keys::kCurrentReplicas].as_int() : 0;
  } else {
    rollout.old = std::max<int64_t>(0, status[keys::kReplicas].as_int() - rollout.updated);
  }
}

}  // namespace minik::sim
