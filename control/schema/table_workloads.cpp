// Rows of pods and of the kinds that make them.
#include <algorithm>

#include "control/base/text.h"
#include "control/object/keys.h"
#include "control/object/object_ref.h"
#include "control/schema/kinds.h"
#include "control/schema/table_pod.h"
#include "control/schema/table_rows.h"
#include "control/schema/views/apps.h"
#include "control/schema/views/autoscaling_v2.h"
#include "control/schema/views/batch.h"
#include "control/schema/views/core_pod.h"
#include "control/schema/views/policy.h"

namespace minik::control {

namespace {

constexpr TableColumn kPod[] = {{"Name", "string"},
                                {"Ready", "string"},
                                {"Status", "string"},
                                {"Restarts", "string"},
                                {"Age", "string"},
                                {"IP", "string", 1},
                                {"Node", "string", 1},
                                {"Nominated Node", "string", 1},
                                {"Readiness Gates", "string", 1}};

std::string readiness_gates(PodView pod) {
  const auto gates = pod.spec().readinessGates();
  if (gates.empty()) return "<none>";
  size_t open = 0;
  for (const auto gate : gates) {
    if (condition_is_true(pod.status().raw(), gate.conditionType())) ++open;
  }
  return cat(open, "/", gates.size());
}

void pod_cells(const Value& object, WallTime now, Cells& cells) {
  const PodView pod(object);
  const PodSummary summary = summarize_pod(object);
  std::string restarts = cat(summary.restarts);
  if (summary.restarts != 0 && summary.last_restart.ns != 0) {
    restarts += cat(" (", format_age(now - summary.last_restart), " ago)");
  }
  cells.emplace_back(cat(summary.ready, "/", summary.containers));
  cells.emplace_back(summary.status);
  cells.emplace_back(restarts);
  cells.emplace_back(object_age(object, now));
  const auto addresses = pod.status().podIPs();
  cells.emplace_back(or_none(addresses.empty() ? pod.status().podIP() : addresses[0].ip()));
  cells.emplace_back(or_none(pod.spec().nodeName()));
  cells.emplace_back(or_none(pod.status().nominatedNodeName()));
  cells.emplace_back(readiness_gates(pod));
}

constexpr TableColumn kPodTemplate[] = {
    {"Name", "string"}, {"Containers", "string"}, {"Images", "string"}, {"Pod Labels", "string"}};

void pod_template_cells(const Value& object, WallTime, Cells& cells) {
  const PodTemplateView pod_template(object);
  add_containers(pod_template.template_().spec().raw(), cells);
  cells.emplace_back(labels_text(pod_template.template_().metadata().labels()));
}

constexpr TableColumn kDeployment[] = {{"Name", "string"},       {"Ready", "string"},
                                       {"Up-to-date", "string"}, {"Available", "string"},
                                       {"Age", "string"},        {"Containers", "string", 1},
                                       {"Images", "string", 1},  {"Selector", "string", 1}};

void deployment_cells(const Value& object, WallTime now, Cells& cells) {
  const DeploymentView deployment(object);
  const auto status = deployment.status();
  cells.emplace_back(cat(status.readyReplicas(), "/", deployment.spec().replicas()));
  cells.emplace_back(status.updatedReplicas());
  cells.emplace_back(status.availableReplicas());
  cells.emplace_back(object_age(object, now));
  add_containers(deployment.spec().template_().spec().raw(), cells);
  cells.emplace_back(selector_text(deployment.spec().selector_value()));
}

constexpr TableColumn kReplicaSet[] = {{"Name", "string"},      {"Desired", "integer"},
                                       {"Current", "integer"},  {"Ready", "integer"},
                                       {"Age", "string"},       {"Containers", "string", 1},
                                       {"Images", "string", 1}, {"Selector", "string", 1}};

void replica_set_cells(const Value& object, WallTime now, Cells& cells) {
  const ReplicaSetView set(object);
  cells.emplace_back(set.spec().replicas());
  cells.emplace_back(set.status().replicas());
  cells.emplace_back(set.status().readyReplicas());
  cells.emplace_back(object_age(object, now));
  add_containers(set.spec().template_().spec().raw(), cells);
  cells.emplace_back(selector_text(set.spec().selector_value()));
}

void replication_controller_cells(const Value& object, WallTime now, Cells& cells) {
  const ReplicationControllerView controller(object);
  cells.emplace_back(controller.spec().replicas());
  cells.emplace_back(controller.status().replicas());
  cells.emplace_back(controller.status().readyReplicas());
  cells.emplace_back(object_age(object, now));
  add_containers(controller.spec().template_().spec().raw(), cells);
  cells.emplace_back(labels_text(controller.spec().selector()));
}

constexpr TableColumn kStatefulSet[] = {{"Name", "string"},
                                        {"Ready", "string"},
                                        {"Age", "string"},
                                        {"Containers", "string", 1},
                                        {"Images", "string", 1}};

void stateful_set_cells(const Value& object, WallTime now, Cells& cells) {
  const StatefulSetView set(object);
  cells.emplace_back(cat(set.status().readyReplicas(), "/", set.spec().replicas()));
  cells.emplace_back(object_age(object, now));
  add_containers(set.spec().template_().spec().raw(), cells);
}

constexpr TableColumn kDaemonSet[] = {
    {"Name", "string"},          {"Desired", "integer"},    {"Current", "integer"},
    {"Ready", "integer"},        {"Up-to-date", "integer"}, {"Available", "integer"},
    {"Node Selector", "string"}, {"Age", "string"},         {"Containers", "string", 1},
    {"Images", "string", 1},     {"Selector", "string", 1}};

void daemon_set_cells(const Value& object, WallTime now, Cells& cells) {
  const DaemonSetView set(object);
  const auto status = set.status();
  cells.emplace_back(status.desiredNumberScheduled());
  cells.emplace_back(status.currentNumberScheduled());
  cells.emplace_back(status.numberReady());
  cells.emplace_back(status.updatedNumberScheduled());
  cells.emplace_back(status.numberAvailable());
  cells.emplace_back(labels_text(set.spec().template_().spec().nodeSelector()));
  cells.emplace_back(object_age(object, now));
  add_containers(set.spec().template_().spec().raw(), cells);
  cells.emplace_back(selector_text(set.spec().selector_value()));
}

constexpr TableColumn kJob[] = {{"Name", "string"},        {"Status", "string"},
                                {"Completions", "string"}, {"Duration", "string"},
                                {"Age", "string"},         {"Containers", "string", 1},
                                {"Images", "string", 1},   {"Selector", "string", 1}};

std::string job_status(const Value& object) {
  const Value& status = object[keys::kStatus];
  if (condition_is_true(status, "Complete")) return "Complete";
  if (condition_is_true(status, "Failed")) return "Failed";
  if (is_deleting(object)) return "Terminating";
  for (const auto* type : {"Suspended", "FailureTarget", "SuccessCriteriaMet"}) {
    if (condition_is_true(status, type)) return type;
  }
  return "Running";
}

void job_cells(const Value& object, WallTime now, Cells& cells) {
  const JobView job(object);
  const auto status = job.status();
  cells.emplace_back(job_status(object));
  if (job.spec().has_completions()) {
    cells.emplace_back(cat(status.succeeded(), "/", job.spec().completions()));
  } else if (job.spec().parallelism() > 1) {
    cells.emplace_back(cat(status.succeeded(), "/1 of ", job.spec().parallelism()));
  } else {
    cells.emplace_back(cat(status.succeeded(), "/1"));
  }
  const auto start = parse_time(status.startTime());
  const auto end = parse_time(status.completionTime());
  cells.emplace_back(start ? format_age(end.value_or(now) - *start) : std::string());
  cells.emplace_back(object_age(object, now));
  add_containers(job.spec().template_().spec().raw(), cells);
  cells.emplace_back(selector_text(job.spec().selector_value()));
}

constexpr TableColumn kCronJob[] = {{"Name", "string"},      {"Schedule", "string"},
                                    {"Timezone", "string"},  {"Suspend", "boolean"},
                                    {"Active", "integer"},   {"Last Schedule", "string"},
                                    {"Age", "string"},       {"Containers", "string", 1},
                                    {"Images", "string", 1}, {"Selector", "string", 1}};

void cron_job_cells(const Value& object, WallTime now, Cells& cells) {
  const CronJobView job(object);
  cells.emplace_back(job.spec().schedule());
  cells.emplace_back(or_none(job.spec().timeZone()));
  cells.emplace_back(job.spec().suspend() ? "True" : "False");
  cells.emplace_back(static_cast<int64_t>(job.status().active().size()));
  cells.emplace_back(job.status().has_lastScheduleTime()
                         ? age_of(job.status().lastScheduleTime_value(), now)
                         : "<none>");
  cells.emplace_back(object_age(object, now));
  add_containers(job.spec().jobTemplate().spec().template_().spec().raw(), cells);
  cells.emplace_back(selector_text(job.spec().jobTemplate().spec().selector_value()));
}

constexpr TableColumn kBudget[] = {{"Name", "string"},
                                   {"Min Available", "string"},
                                   {"Max Unavailable", "string"},
                                   {"Allowed Disruptions", "integer"},
                                   {"Age", "string"}};

std::string count_text(const Value& count) {
  if (!count.has_value()) return "N/A";
  return count.is_int() ? cat(count.as_int()) : count.string();
}

void budget_cells(const Value& object, WallTime now, Cells& cells) {
  const PodDisruptionBudgetView budget(object);
  cells.emplace_back(count_text(budget.spec().minAvailable()));
  cells.emplace_back(count_text(budget.spec().maxUnavailable()));
  cells.emplace_back(budget.status().disruptionsAllowed());
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kAutoscaler[] = {
    {"Name", "string"},    {"Reference", "string"}, {"Targets", "string"}, {"MinPods", "string"},
    {"MaxPods", "string"}, {"Replicas", "string"},  {"Age", "string"}};

std::string quantity_or_unknown(const Value& quantity) {
  return quantity.has_value() ? quantity.string() : std::string("<unknown>");
}

// "cpu: 12%/80%", of one resource of pods or of a container in them.
std::string resource_target(const Value& wanted, const Value& current) {
  const Value& target = wanted[keys::kTarget];
  const auto percent = [](const Value& of, std::string_view otherwise) {
    return of.is_int() ? cat(of.as_int(), "%") : std::string(otherwise);
  };
  const std::string name = cat(wanted[keys::kName].as_string(), ": ");
  if (target[keys::kAverageValue].has_value()) {
    return cat(name, quantity_or_unknown(current[keys::kAverageValue]), "/", target[keys::kAverageValue].string());
  }
  return cat(name, percent(current[keys::kAverageUtilization], "<unknown>"), "/",
             percent(target[keys::kAverageUtilization], "<auto>"));
}

// What metric `index` of the spec is and what it shall be. `told` has those that could be measured, in their order.
std::string metric_target(const Value& metric, size_t index, const Value& told) {
  const auto type = metric[keys::kType].as_string();
  const bool per_container = type == "ContainerResource";
  if (type == "Resource" || per_container) {
    const auto& key = per_container ? keys::kContainerResource : keys::kResource;
    Value current;
    for (const auto& one : told.items()) {
      if (one[key][keys::kName] == metric[key][keys::kName]) current = one[key][keys::kCurrent];
    }
    return resource_target(metric[key], current);
  }
  const Value status = index < told.size() ? told.items()[index] : Value();
  const Key source(type == "Pods" ? "pods" : type == "Object" ? "object" : "external");
  const Value& target = metric[source][keys::kTarget];
  const Value& current = status[source][keys::kCurrent];
  if (target[keys::kAverageValue].has_value()) {
    return cat(quantity_or_unknown(current[keys::kAverageValue]), "/", target[keys::kAverageValue].string(),
               type == "Pods" ? "" : " (avg)");
  }
  return cat(quantity_or_unknown(current[keys::kValue]), "/", target[keys::kValue].string());
}

void autoscaler_cells(const Value& object, WallTime now, Cells& cells) {
  const HorizontalPodAutoscalerView autoscaler(object);
  const auto spec = autoscaler.spec();
  std::vector<std::string> targets;
  const Value& told = object[keys::kStatus][keys::kCurrentMetrics];
  for (const auto metric : spec.metrics()) targets.push_back(metric_target(metric.raw(), targets.size(), told));
  constexpr size_t kShown = 2;
  std::string text = join(
      {targets.begin(), targets.begin() + static_cast<ptrdiff_t>(std::min(targets.size(), kShown))},
      ", ");
  if (targets.size() > kShown) text += cat(" + ", targets.size() - kShown, " more...");
  cells.emplace_back(cat(spec.scaleTargetRef().kind(), "/", spec.scaleTargetRef().name()));
  cells.emplace_back(or_none(text));
  cells.emplace_back(cat(spec.minReplicas()));
  cells.emplace_back(spec.maxReplicas());
  cells.emplace_back(autoscaler.status().currentReplicas());
  cells.emplace_back(object_age(object, now));
}

constexpr TableColumn kRevision[] = {
    {"Name", "string"}, {"Controller", "string"}, {"Revision", "string"}, {"Age", "string"}};

void revision_cells(const Value& object, WallTime now, Cells& cells) {
  const Value& owner = controller_of(object);
  const std::string_view version = owner[keys::kApiVersion].as_string();
  const auto slash = version.find('/');
  std::string kind = to_lower(owner[keys::kKind].as_string());
  if (slash != std::string_view::npos) kind += cat(".", version.substr(0, slash));
  cells.emplace_back(owner.is_absent() ? "<none>" : cat(kind, "/", owner[keys::kName].as_string()));
  cells.emplace_back(ControllerRevisionView(object).revision());
  cells.emplace_back(object_age(object, now));
}

constexpr TableLayout kWorkloadLayouts[] = {
    {kinds::kPods, kPod, pod_cells},
    {kinds::kPodtemplates, kPodTemplate, pod_template_cells},
    {kinds::kDeployments, kDeployment, deployment_cells},
    {kinds::kReplicasets, kReplicaSet, replica_set_cells},
    {kinds::kReplicationcontrollers, kReplicaSet, replication_controller_cells},
    {kinds::kStatefulsets, kStatefulSet, stateful_set_cells},
    {kinds::kDaemonsets, kDaemonSet, daemon_set_cells},
    {kinds::kJobs, kJob, job_cells},
    {kinds::kCronjobs, kCronJob, cron_job_cells},
    {kinds::kPoddisruptionbudgets, kBudget, budget_cells},
    {kinds::kHorizontalpodautoscalers, kAutoscaler, autoscaler_cells},
    {kinds::kControllerrevisions, kRevision, revision_cells},
};

}  // namespace

std::span<const TableLayout> workload_layouts() {
  return kWorkloadLayouts;
}

}  // namespace minik::control
